"""What people, machines, models and reasons are called."""

from __future__ import annotations


def _words(text: str) -> list[str]:
    return text.split()


GIVEN = _words("""
    ada amara amir anika anton aylin bela bruno carla chidi chloe dara dario dilan elena elif emre
    esther fatou felix femi freya gita hana hugo ines ivan jamal jonas joy kai kenji lara leila lena
    linh luca maja malik mara mateo mei milan mina nadia nils noor olga omar oscar paula petra priya
    quinn rafa ravi rosa ruth sami sara sven tara tariq theo uma vera viktor wen yara yusuf zoe
""")
FAMILY = _words("""
    abebe adeyemi ahmed alvarez andersen bauer becker bianchi brandt castro chen costa da-silva diallo
    duarte eriksen fischer fontaine garcia gupta haddad hansen herrera hoffmann ibrahim ito ivanov
    jansen kaya keller khan kim koch kovacs kowalski kruger kumar larsen laurent lopez maier martin
    mensah meyer moreau nakamura nguyen novak okafor olsen ortiz park patel pereira petrov popescu
    rahman richter rossi sato schmidt silva singh sokolov suzuki tanaka torres tran vogel wagner wang
    weber yilmaz zhang zimmermann
""")
NAMESPACES = _words("""
    vision speech language ranking fraud search ads maps robotics medical pricing support translate
    drive camera forecast safety audio health voice retail logistics energy weather gaming legal finance
    security edge mobile documents recruiting travel music video insurance biology chemistry agriculture
    satellite
""")
NOUNS = _words("""
    resnet50 classifier detector segmenter encoder embedder ranker reranker tagger tokenizer matcher
    scorer transformer bert whisper mlp autoencoder forecaster recommender router summarizer captioner
    ocr denoiser tracker keypoints depth anomaly intent sentiment speaker wakeword vad toxicity
    duplicate churn demand routing planner
""")
SIZES = ("tiny", "small", "base", "large", "v2", "v3", "eu", "us", "apac", "kids", "pro", "lite")
DERIVED = ("int8", "int4", "fp8", "edge", "mobile", "w8a8")
ALIASES = ("prod", "staging", "canary", "candidate")
PURPOSES = ("pull", "run", "verify", "lineage", "evaluate")
MACHINES = {"serving": "serving", "batch": "batch", "edge": "serving", "shadow": "shadow-traffic"}
YANKS = (
    "accuracy on the holdout set dropped by 3 points",
    "calibrated with the wrong dataset",
    "licence of the training data is unclear: see LEGAL-412",
    "crashes on ARM when the batch is empty",
    "personal data in the vocabulary",
    "superseded, must not be served any more",
    "regression in latency, p99 over budget",
    "published by mistake",
)
LEFT = ("left the company", "contract ended", "moved to another unit", "host retired", "key reported stolen")
NOTES = ("weekly retraining", "new calibration set", "hotfix", "A/B candidate", "nightly build", "on request")


def person(number: int) -> str:
    """The name of the n-th person; no two are alike."""
    again, given = divmod(number, len(GIVEN))
    round_, family = divmod(again, len(FAMILY))
    return f"{GIVEN[given]}.{FAMILY[(family + 7 * given) % len(FAMILY)]}{round_ or ''}"


def namespace(number: int) -> str:
    """The name of the n-th namespace."""
    again = number // len(NAMESPACES)
    return NAMESPACES[number % len(NAMESPACES)] + (f"-{again + 1}" if again else "")
