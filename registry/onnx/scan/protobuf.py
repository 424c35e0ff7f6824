"""Every field of every message that an ONNX file may hold, from onnx.proto as of onnx 1.23 (IR version 14).

tests/hostile/make_tables.py writes the table from the descriptors of the installed onnx package; a test
compares the two. A line is a message: its name, then its fields as ``number:kind``. Kinds: v number, V list
of numbers, f float, F list of floats, D list of doubles, s name, S list of names, t text for people, b bytes,
B list of bytes; a message's name, with * where it repeats. ``=`` after a field: it and its like exclude one
another (oneof). A line that begins with spaces continues the one before. ``-``: nothing writes
it since ONNX 1.0.
"""

from __future__ import annotations

from typing import Final

TABLE: Final = """
Model 1:v 2:s 3:s 4:s 5:v 6:t 7:Graph 8:OperatorSetId* 14:Metadata* 20:TrainingInfo* 25:Function*
    26:DeviceConfiguration*
OperatorSetId 1:s 2:v
Graph 1:Node* 2:s 5:Tensor* 10:t 11:ValueInfo* 12:ValueInfo* 13:ValueInfo* 14:TensorAnnotation*
    15:SparseTensor* 16:Metadata*
StringStringEntry 1:s 2:s
TrainingInfo 1:Graph 2:Graph 3:StringStringEntry* 4:StringStringEntry*
Function 1:s 4:S 5:S 6:S 7:Node* 8:t 9:OperatorSetId* 10:s 11:Attribute* 12:ValueInfo* 13:s 14:Metadata*
DeviceConfiguration 1:s 2:v 3:S
Node 1:S 2:S 3:s 4:s 5:Attribute* 6:t 7:s 8:s 9:Metadata* 10:NodeDeviceConfiguration*
Tensor 1:V 2:v 3:Tensor.Segment- 4:F 5:V 6:B 7:V 8:s 9:b 10:D 11:V 12:t 13:StringStringEntry* 14:v
    16:Metadata*
SparseTensor 1:Tensor 2:Tensor 3:V
ValueInfo 1:s 2:Type 3:t 4:Metadata*
TensorAnnotation 1:s 2:StringStringEntry*
Attribute 1:s 2:f 3:v 4:b 5:Tensor 6:Graph 7:F 8:V 9:B 10:Tensor* 11:Graph* 13:t 14:Type 15:Type* 20:v
    21:s 22:SparseTensor 23:SparseTensor*
NodeDeviceConfiguration 1:s 2:ShardingSpec* 3:v
Tensor.Segment 1:v 2:v
Type 1:Type.Tensor= 4:Type.Sequence= 5:Type.Map= 6:t 7:Type.Opaque= 8:Type.SparseTensor= 9:Type.Optional=
ShardingSpec 1:s 2:V 3:IntIntListEntry* 4:ShardedDim*
Type.Tensor 1:v 2:TensorShape
Type.Sequence 1:Type
Type.Map 1:v 2:Type
Type.Optional 1:Type
Type.SparseTensor 1:v 2:TensorShape
Type.Opaque 1:s 2:s
IntIntListEntry 1:v 2:V
ShardedDim 1:v 2:SimpleShardedDim*
TensorShape 1:TensorShape.Dimension*
SimpleShardedDim 1:v= 2:s= 3:v
TensorShape.Dimension 1:v= 2:s= 3:t
Metadata 1:t 2:t"""
