"""Policy text that is refused when it is set: by name, by line, and before it can end the process."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policy.asking import EXAMPLES, ask, decide, forbid
from registry.errors import InvalidPolicy
from registry.policy.engine import Policies
from registry.policy.schema import SCHEMA
from registry.policy.text import LIMIT, NESTING, OPERATIONS, POLICIES, statements

OPEN = "permit (principal, action, resource);"
IF = 4  # operations


def _refused(text: str) -> InvalidPolicy:
    with pytest.raises(InvalidPolicy) as caught:
        Policies.parse(text)
    return caught.value


def test_the_documented_schema_is_the_schema() -> None:
    assert (EXAMPLES / "hallmark.cedarschema").read_text(encoding="utf-8") == SCHEMA


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        pytest.param("resource.colour == 1", "`colour` on entity type `Version` not found", id="attribute"),
        pytest.param('resource.size == "big"', "Long and String are not compatible", id="type"),
        pytest.param("resource.size > true", "expected Long but saw", id="operand"),
        pytest.param('context.purpose == "x"', "optional attribute `purpose`", id="optional-context"),
        pytest.param('resource.label == "x"', "optional attribute `label`", id="optional-attribute"),
        pytest.param("resource.quantization.maxBits > 8", "`quantization.maxBits`", id="bits-of-floats"),
        pytest.param('resource.getTag("x").count > 1', 'tag `"x"`', id="tag-without-hasTag"),
        pytest.param("context.alias == 1", "`alias` in context", id="context-of-another-action"),
        pytest.param('context.time.weekday == Weekday::"Friday"', '"Friday"', id="misspelt-day"),
        pytest.param('principal.role == Role::"root"', '"root"', id="misspelt-role"),
        pytest.param('context.time.weekday == "friday"', "String and Weekday", id="day-as-string"),
        pytest.param("resource.quantization.types == []", "empty set literals", id="empty-set"),
        pytest.param('context.time.now > datetime("2026-02-30")', "datetime", id="no-such-day"),
        pytest.param('principal in User::"alice"', "`User`", id="entity-type"),
    ],
)
def test_what_does_not_fit_the_schema(condition: str, said: str) -> None:
    error = _refused(OPEN + "\n\n// so\n" + forbid(condition, id="mine"))
    assert said in error.message
    assert error.on == "'mine', line 4"


def test_an_unknown_action() -> None:
    error = _refused('forbid (principal, action == Action::"pul", resource);')
    assert '`Action::"pul"`' in error.message
    assert error.on == "'policy 1', line 1"


def test_a_misfit_of_types_is_told_in_few_words() -> None:
    fields = ", ".join(f"{name}: 1" for name in ("a" * 40, "b" * 40, "c" * 40, "d" * 40, "e" * 40))
    message = _refused(forbid(f"{{ x: {{ {fields} }} }} == {{ x: {{ {fields}, f: 1 }} }}")).message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("forbid (principal, action resource);", "policy 1, line 1"),
        (OPEN + "\n// one; two\nforbid (principal, action, resource) when { 1 + };", "policy 2, line 3"),
        (OPEN + "\n\nforbid (principal, action, resource)", "policy 2, line 3"),
        ('@id("a") @id("b")\n' + OPEN, "policy 1, line 1"),
        (OPEN + '\n@id("a;\n', "policy 2, line 2"),
        (OPEN + ";", "policy 2, line 1"),
    ],
)
def test_syntax_errors_name_the_policy_and_its_line(text: str, on: str) -> None:
    error = _refused(text)
    assert error.on == on
    assert "does not parse" in error.message


@pytest.mark.parametrize(
    "slot", ["principal == ?principal, action, resource", "principal, action, resource in ?resource"]
)
def test_templates_are_refused(slot: str) -> None:
    assert "templates" in _refused(f"{OPEN} forbid ({slot});").message


def test_two_policies_of_one_name() -> None:
    error = _refused(f'@id("x")\n{OPEN}\n\n@id("x") {OPEN}')
    assert error.on == "'x', lines 1, 4"
    error = _refused(f'@id("policy 2") {OPEN}\n{OPEN}')
    assert error.on == "'policy 2', lines 1, 2"


def test_names_come_from_the_id_or_the_place() -> None:
    text = f'{OPEN} @note("x") @id("second; one") {OPEN} // @id("no")\n@id {OPEN} @id("") {OPEN}'
    text += f'@id("\\u{{e9}}\\"") {OPEN}'
    assert Policies.parse(text).names == ("policy 1", "second; one", "policy 3", "policy 4", 'é"')
    assert Policies.parse("").names == Policies.parse("// nothing yet\n").names == ()


def test_annotations_may_be_called_like_keywords() -> None:
    text = f'@when("a") @ unless("b") @id("x") {OPEN} @if("c") {forbid("context.time.hour == 1")}'
    assert Policies.parse(text).names == ("x", "door")


def test_a_text_that_is_too_long() -> None:
    room = LIMIT - len(OPEN.encode())
    assert Policies.parse(OPEN + " " * room).names == ("policy 1",)
    assert "too long" in _refused(OPEN + " " * (room + 1)).message
    assert "too long" in _refused("//" + "é" * (LIMIT // 2)).message  # counted in bytes


def test_too_many_policies() -> None:
    assert "too many" in _refused(OPEN * (POLICIES + 1)).message


@pytest.mark.parametrize(
    ("deepest", "deeper"),
    [
        pytest.param("(" * (NESTING - 1) + "true" + ")" * (NESTING - 1), "({})", id="brackets"),
        pytest.param("true && " * (OPERATIONS - 2) + "true", "{} && true", id="and"),
        pytest.param(
            "if true then true else " * ((OPERATIONS - 4) // IF) + "true",
            "if true then true else {}",
            id="if",
        ),
    ],
)
def test_what_nests_is_bounded(deepest: str, deeper: str) -> None:
    text = f"forbid (principal, action, resource) when {{ {deepest} }};"
    assert not decide(text, ask()).allowed
    assert Policies.parse(text * 3).names[2] == "policy 3"  # counted in each policy by itself
    text = f"forbid (principal, action, resource) when {{ {deeper.format(deepest)} }};"
    error = _refused(OPEN + "\n" + text)
    assert "nests too deeply" in error.message or "too complicated" in error.message
    assert "the policy at line 2" in str(error.on)


@pytest.mark.parametrize(
    "text",
    [")" * 50 + "(" * (NESTING + 1), "((((;" * NESTING],
    ids=["stray-ones-first", "semicolons"],
)
def test_brackets_are_counted_where_they_cannot_stand(text: str) -> None:
    assert "nests too deeply" in _refused(text).message


def test_what_is_quoted_or_commented_does_not_count() -> None:
    text = forbid('context.client.program == "' + "((((&&.;" * 500 + '\\""') + "//" + "(;" * 500 + "\n"
    assert len(statements(text)) == 1
    assert decide(text, ask()).allowed


WORDS = st.sampled_from(
    [
        *'(){}[];,@.1\\"é\n',
        "@id",
        '"x"',
        "==",
        "&&",
        "//",
        "::",
        "if",
        "true",
        "in",
        "?principal",
        "permit",
        "forbid",
        "principal",
        "action",
        "resource",
        "when",
        "unless",
    ]
)
TEXTS = st.one_of(
    st.text(),
    st.lists(WORDS).map(" ".join),
    st.lists(WORDS).map(lambda found: OPEN + "".join(found)),
)


@given(TEXTS)
@example('@//\nwhen("x") ' + OPEN)
@example("\ud800")
@example(OPEN + "\x00")
def test_any_text_is_a_policy_or_is_refused(text: str) -> None:
    try:
        policies = Policies.parse(text)
    except InvalidPolicy:
        return
    assert len(policies.names) == len(statements(text))
