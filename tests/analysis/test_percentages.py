"""Telling from the code whether a printed accuracy may be a percentage."""

from pathlib import Path

import pytest

from epochal.analysis.percentages import Percentages, find_percentages, read_percentages


@pytest.mark.parametrize(
    "source",
    [
        'print(f"Test Accuracy: {acc * 100:.2f}, done")',
        'print("Test Accuracy: %.2f" % (100 * correct / total))',
        'print("Test Accuracy: {:.2f}".format(100. * correct / total))',
        'print("Test Accuracy:", round(100 * accuracy, 2))',
        'accuracy = 100 * correct / total\nprint("Test Accuracy:", accuracy)',
        'accuracy = correct / total\naccuracy *= 100\nprint("Test Accuracy: " + str(accuracy))',
        "def test():\n    return 0.1, 100.0 * correct / total\nloss, acc = test()\nprint(f'{acc:.2f}')",
        "def accuracy():\n    total = 100 * n / m\n    return total\nprint('Test:', accuracy())",
        "def test():\n    result.append(correct_k.mul_(100.0 / n))\n    return result\nprint('%.2f' % test()[0])",
        "metrics = {'accuracy': round(100 * correct / total, 2)}\nprint('Test accuracy:', metrics['accuracy'])",
        "self.accuracy = 100 * correct / total\nprint(f'Test accuracy: {self.accuracy}')",
        "print('Test accuracy: ' + str(100 * accuracy))",
        'accuracy = 100 * (predicted == labels).mean()\nprint(f"{accuracy:.1f}%")\nprint("Test Accuracy:", accuracy)',
    ],
)
def test_accuracy_multiplied_without_sign_is_found(source: str) -> None:
    """The accuracy may be formatted in any way, on another line, or by a caller."""
    lines = len(source.splitlines())
    found = find_percentages({"nn.py": b"pass", "utils.py": source.encode()})
    assert found.unsigned in [f"line {line} of utils.py" for line in range(1, lines + 1)]
    assert found.computed


@pytest.mark.parametrize(
    "source",
    [
        'print(f"Test Accuracy: {acc * 100:.2f}%")',
        'print(f"Test Accuracy: {acc * 100:.2f} %")',
        'print(f"Test Accuracy: {acc:.2%}")',
        'print("Test Accuracy: %.2f%%" % (100 * correct / total))',
        'print("Accuracy: {}/{} ({:.0f}%)".format(correct, total, 100. * correct / total))',
        'print("Test Accuracy:", 100 * accuracy, "%")',
        'accuracy = 100 * correct / total\nprint(f"Test Accuracy: {accuracy:.1f}%")',
        'print("Test accuracy: " + str(100 * accuracy) + "%")',
        # Training accuracies are printed with a sign; without one, they are only used in other ways.
        "def train():\n    return 100 * correct / n\nprint(f'{train():.1f}%')\nprint(f'Test accuracy: {accuracy():.2f}')",
        'accuracy = 100 * correct / total\nprint(f"{accuracy:.1f} %")\nlog.add_scalar(accuracy)\nassert accuracy > 5',
        'print("Train Epoch [{:.0f}]".format(100.0 * batch / len(loader)))',
        "x = rng.rand(200) * 100\nprint(x)",
    ],
)
def test_percentage_with_its_sign_is_not_mistaken(source: str) -> None:
    """A percentage with a sign is unambiguous. Other products, such as the progress within an epoch, are not accuracies."""
    assert find_percentages({"nn.py": source.encode()}) == Percentages("", computed=True)


_BATCHES = "for part in parts:\n    print('batch accuracy', 100 * np.mean(predict(part) == y))\n"


@pytest.mark.parametrize(
    ("source", "line", "is_fraction"),
    [
        (_BATCHES + "print('Test accuracy:', acc)", "Test accuracy: 0.8995", True),
        (_BATCHES + "print(f'Test accuracy: {acc:.3f}')", "Test accuracy: 0.900", True),
        (_BATCHES + "print('Test accuracy: %.3f' % acc)", "Test accuracy: 0.900", True),
        (_BATCHES + "print('Test accuracy: {:.3f}'.format(acc))", "Test accuracy: 0.900", True),
        (_BATCHES + "print('\\nTest accuracy:', acc)", "Test accuracy: 0.8995", True),
        (_BATCHES + "print('Done', '\\nTest accuracy:', 100 * acc)", "Test accuracy: 0.8995", False),
        (_BATCHES + "print('Test accuracy:', acc)", "batch accuracy 0.8995", False),
        (_BATCHES + "acc = 100 * right / n\nprint('Test accuracy:', acc)", "Test accuracy: 0.8995", False),
        (_BATCHES + "print('Test accuracy:', acc)\nprint(100 * acc)", "Test accuracy: 0.8995", False),
        (_BATCHES + "print('Test accuracy:', end=' ')\nprint(100 * acc)", "Test accuracy: 0.8995", False),
        (_BATCHES + "print(f'{name} accuracy: {acc}')", "Test accuracy: 0.8995", False),
        # The function or the comprehension passes a percentage on.
        (_BATCHES + "def show(a):\n    print('Test:', a)\nshow(100 * acc)", "Test: 0.8995", False),
        (_BATCHES + "for a in [100 * a for a in accs]:\n    print('Test:', a)", "Test: 0.8995", False),
        ("value = 100 * ratio\nprint('Test', value)\nacc = value\nprint('acc', acc)", "Test 0.8995", False),
    ],
)
def test_line_that_states_a_fraction(source: str, line: str, is_fraction: bool) -> None:
    """A script may print percentages during training and a fraction after it, which its own text distinguishes."""
    found = find_percentages({"nn.py": source.encode()})
    assert found.unsigned
    assert found.is_fraction(line) == is_fraction


_LOGS = "log.info('batch %d: accuracy %.1f', i, 100 * acc)\nlog.info('Test accuracy: %.3f', acc)\n"
_TIME = "2026-11-28 14:04:48,123"


@pytest.mark.parametrize(
    ("form", "prefix"),
    [
        ("%(asctime)s %(levelname)s %(name)s: %(message)s", f"{_TIME} INFO digits: "),
        ("%(asctime)s %(name)s [%(levelname)s] %(message)s", f"{_TIME} train.digits [INFO] "),
        ("%(asctime)s %(name)-12s %(levelname)-8s %(message)s", f"{_TIME} digits       INFO     "),
        ("[%(asctime)s] {%(filename)s:%(lineno)d} %(levelname)s - %(message)s", f"[{_TIME}] {{nn.py:17}} INFO - "),
        ("%(levelname)s %(asctime)s %(filename)s:%(lineno)d] %(message)s", f"INFO {_TIME} nn.py:17] "),
        ("%(asctime)s %(levelname)8s %(message)s", "28 Nov, 14:04     INFO "),
        ("%(name)s | %(message)s", "Test | "),
        ("{asctime} {levelname:<8} {name}: {message}", f"{_TIME} INFO     digits: "),
        ("<green>{time:HH:mm}</green> {name}:{function}:{line} {message}", "14:04 __main__:<module>:17 "),
        ("\\x1b[32m%(levelname)s\\x1b[0m %(name)s %(message)s", "INFO digits "),
    ],
)
def test_line_after_the_prefix_of_a_logger(form: str, prefix: str) -> None:
    """The format is a literal anywhere in the code. Without it, what comes before the message remains unclear."""
    found = find_percentages({"nn.py": f"logging.basicConfig(format='{form}')\n{_LOGS}".encode()})
    assert found.is_fraction("batch: Test accuracy: 0.947", f"{prefix}Test accuracy: 0.947")
    assert not found.is_fraction("…batch 3: accuracy 0.9", f"{prefix}batch 3: accuracy 0.9")
    assert not found.is_fraction("batch: Test accuracy: 0.947", f"{prefix}batch 3: Test accuracy: 0.947")
    other = find_percentages({"nn.py": f"logging.basicConfig(format=chosen)\n{_LOGS}".encode()})
    assert not other.is_fraction("x: Test accuracy: 0.947", f"{prefix}Test accuracy: 0.947")


def test_prefix_of_a_logger_that_resembles_a_message() -> None:
    """The line may consist of the name "Test" and a percentage, although another line starts with the same words."""
    logs = "log.info('accuracy: %.1f', 100 * acc)\nprint('Test accuracy:', acc)\n"
    found = find_percentages({"nn.py": f"FORMAT = '%(name)s %(message)s'\n{logs}".encode()})
    assert not found.is_fraction("Test accuracy: 0.947", "Test accuracy: 0.947")


def test_long_format_of_a_logger_is_matched_quickly() -> None:
    """A script that somebody pushes must not keep the server busy."""
    source = f"FORMAT = '{'%(asctime)s' + '%(name)s' * 50}!%(message)s'\n{_LOGS}"
    assert not find_percentages({"nn.py": source.encode()}).is_fraction("a" * 200, "a" * 200)


def test_code_without_percentages() -> None:
    """A printed % sign may follow a fraction. If the code cannot be read, there may be a percentage."""
    signed_fraction = b'print(f"Test accuracy: {correct / total:.2f}%")'
    assert find_percentages({"nn.py": signed_fraction}) == Percentages("", computed=False)
    for unknown in (b"def", b"print(100 * acc + " + b" + ".join([b"'a'"] * 2000) + b")"):
        assert find_percentages({"nn.py": unknown}) == Percentages("", computed=True)


def test_local_modules_are_read(tmp_path: Path) -> None:
    """The script may import the function that measures the accuracy from a module beside it."""
    for name, content in (
        ("project/lib/utils.py", "def accuracy():\n    return 100 * correct / total\n"),
        ("project/other.py", "print(100 * accuracy)\n"),
        ("lib/utils.py", "print(100 * accuracy)\n"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    script = b"import keras\nfrom lib.utils import accuracy\nprint('Test accuracy:', accuracy())\n"
    found = read_percentages(tmp_path, "project/train.py", script)
    assert found.unsigned == "line 2 of project/lib/utils.py"
