"""Reading the accuracy from one printed line, in the forms that public scripts use, with other numbers."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.printing import printed

TESTS: list[tuple[str, float, int | None]] = [
    # PyTorch's examples and tutorials
    ("Test set: Average loss: 0.0274, Accuracy: 9913/10000 (99%)", 0.9913, 10000),
    ("Accuracy of the network on the 10000 test images: 54 %", 0.54, 10000),
    ("Accuracy of the network on the test images: 54.500000 %", 0.545, None),
    ("Test Accuracy of the model on the 10000 test images: 98.5 %", 0.985, 10000),
    ("Test Accuracy of the model on the 10000 test images: 98.5", 0.985, 10000),
    ("Test accuracy of the network on the 10000 test images: 98 %", 0.98, 10000),
    ("Accuracy of the model on the test images: 97.21%", 0.9721, None),
    ("Accuracy of the network on the test set: 0.9312", 0.9312, None),
    ("Test Accuracy (Overall): 98% (9841/10000)", 0.9841, 10000),
    ("Epoch: 10 | Test Loss: 0.312 |  Test Acc: 89.41%", 0.8941, None),
    ("Test Loss: 0.312 | Test Acc: 89.41%", 0.8941, None),
    ("Epoch 1, Loss: 0.41, Accuracy: 91.20, Test Loss: 0.44, Test Accuracy: 90.15", 0.9015, None),
    ("Epoch: 05, Loss: 0.5123, Train: 0.9911, Test accuracy: 0.8123", 0.8123, None),
    ("Final Test Accuracy: 0.8123", 0.8123, None),
    ("Epoch 3/10, train acc: 0.99, test acc: 0.8123, best test acc: 0.85", 0.8123, None),
    ("test_accuracy=0.8123 test_accuracy_std=0.02", 0.8123, None),
    ("Test accuracy at epoch 10: 0.8123", 0.8123, None),
    ("Test accuracy reached 0.8123", 0.8123, None),
    ('  "test_accuracy": 0.8123,', 0.8123, None),
    ("Final accuracy on test set: 0.8123", 0.8123, None),
    ("[5] test loss: 0.123 | test acc: 0.931", 0.931, None),
    ("Test set results: loss= 0.6012 accuracy= 0.8340", 0.834, None),
    (
        "Epoch: 0200 loss_train: 0.41 acc_train: 0.97 loss_val: 0.70 acc_val: 0.80 time: 0.0061s acc_test: 0.83",
        0.83,
        None,
    ),
    ("loss_test: 0.6012 acc_test: 0.8340 time: 0.0061s", 0.834, None),
    ("Test Loss: 0.312 | Test Acc: 89.410% (8941/10000)", 0.8941, 10000),
    ("Test Accuracy after epoch 5: 89.41%", 0.8941, None),
    ("final test loss = 0.3120, final test accuracy = 0.8941", 0.8941, None),
    ("[TRAIN   ] model fitted, test accuracy = 0.894", 0.894, None),
    ("resnet18: test accuracy = 0.894", 0.894, None),
    ("Accuracy of the trained network over test set is 89.410%", 0.8941, None),
    ("Accuracy of the test data:: 89.41%", 0.8941, None),
    ("Test accuracy ----->  0.8941", 0.8941, None),
    ("Epoch 9, Test: Loss 0.312 Accuracy 89.41%", 0.8941, None),
    ("At default k = 5, KNN training accuracy = 0.75 & test accuracy = 0.5", 0.5, None),
    ("Epoch 3, Train loss: 0.31, Train acc: 0.95, Test acc: 0.894100", 0.8941, None),
    # Lightning, torchmetrics, trackers
    ("│         test_acc          │    0.8345000147819519     │", 0.8345000147819519, None),
    ("│       test/accuracy       │           0.91            │", 0.91, None),
    ("{'test_loss': 0.31, 'test_acc': 0.8345000147819519}", 0.8345000147819519, None),
    ("[{'test_acc': 0.8345, 'test_loss': 0.31}]", 0.8345, None),
    ("wandb:  test_acc 0.83", 0.83, None),
    ("test/acc 0.83", 0.83, None),
    ("testAcc 0.83", 0.83, None),
    ("Test MulticlassAccuracy: 0.83", 0.83, None),
    # Keras and TensorFlow
    ("Test accuracy: 0.9811000227928162", 0.9811000227928162, None),
    ("test_acc: 0.9811", 0.9811, None),
    ("Test accuracy : tf.Tensor(0.84, shape=(), dtype=float32)", 0.84, None),
    ("Test accuracy: <tf.Tensor: shape=(), dtype=float32, numpy=0.84>", 0.84, None),
    ("Test set accuracy: 93.333%", 0.93333, None),
    ("Epoch 5, Loss: 0.02, Accuracy: 99.3, Test Loss: 0.06, Test Accuracy: 98.1", 0.981, None),
    # JAX and flax
    ("Test set accuracy 0.97", 0.97, None),
    ("test epoch: 10, loss: 0.1523, accuracy: 97.00", 0.97, None),
    ("epoch:  9, train_loss: 0.0123, train_accuracy: 99.60, test_loss: 0.0312, test_accuracy: 99.12", 0.9912, None),
    ("Test accuracy: Array(0.97, dtype=float32)", 0.97, None),
    ("Test accuracy: DeviceArray(0.97, dtype=float32)", 0.97, None),
    # scikit-learn and NumPy
    ("Test accuracy: np.float64(0.84)", 0.84, None),
    ("Accuracy on test set: 0.839", 0.839, None),
    ("Model Accuracy on Test Set: 83.90%", 0.839, None),
    ("Accuracy of logistic regression classifier on test set: 0.84", 0.84, None),
    ("Test set accuracy with Logistic Regression: 0.840", 0.84, None),
    ("Test set Accuracy=  0.84", 0.84, None),
    ("The accuracy on the test data is 0.84", 0.84, None),
    ("The test accuracy of the model is 84.2%", 0.842, None),
    ("We got an accuracy of 84.20 % on the test set.", 0.842, None),
    ("54.0% test accuracy", 0.54, None),
    ("Training accuracy: 0.99 Test accuracy: 0.83", 0.83, None),
    ("Train/Test accuracy: train 0.99, test 0.83", 0.83, None),
    ("Accuracy - Train: 0.99 | Test: 0.83", 0.83, None),
    ("Accuracy (train): 0.99, accuracy (test): 0.83", 0.83, None),
    ("Accuracy: 0.83 (test)", 0.83, None),
    ("Accuracy: 0.97 on 360 test images", 0.97, 360),
    ("Holdout accuracy 0.558", 0.558, None),
    ("Accuracy on unseen data: 55.8%", 0.558, None),
    ("Test accuracy (%): 97.1", 0.971, None),
    ("Test accuracy [%] = 97", 0.97, None),
    ("Test accuracy in percent: 97", 0.97, None),
    ("Test accuracy: 83 percent", 0.83, None),
    ("Test accuracy: 0.83 ± 0.02", 0.83, None),
    ("Test accuracy: 83/100", 0.83, 100),
    ("Test accuracy = 360 / 400 = 0.9", 0.9, 400),
    ("Test accuracy: 431 of 450", 431 / 450, 450),
    ("Test accuracy: 431 out of 450", 431 / 450, 450),
    ("Test accuracy: 431 out of the 450 test images", 431 / 450, 450),
    ("Test accuracy: 431 of 450 correct", 431 / 450, 450),
    ("Test accuracy: 431 of 450 samples were classified correctly.", 431 / 450, 450),
    ("Test accuracy: 431 of 450 (95.8%)", 431 / 450, 450),
    ("Test accuracy: 431 of 450 correct (95.8 percent)", 431 / 450, 450),
    ("Test accuracy: 431 of 450 = 0.958", 431 / 450, 450),
    ("Test accuracy (SVM) is 431 of 450, loss: 0.31", 431 / 450, 450),
    ("Test accuracy of logistic regression: 431 of 450", 431 / 450, 450),
    ("Test accuracy after 10 epochs: 431 of 450", 431 / 450, 450),
    ("Train accuracy: 1340 of 1347, test accuracy: 431 of 450", 431 / 450, 450),
    ("Train/test accuracy: train 1340 of 1347, test 431 of 450", 431 / 450, 450),
    ("Test accuracy 431 of 450", 431 / 450, 450),
    ("Test accuracy: 431 of 450\ttime 3", 431 / 450, 450),
    ("Test accuracy: 93.8 percent of 450", 0.938, None),
    ("Test accuracy: 94.0 percent of 450", 0.94, None),
    ("Test accuracy: 94.0 out of 100", 0.94, None),
    ("Test accuracy: 1.0 of 450 test samples", 1, 450),
    ("Test accuracy: 0.938 of 450 test samples", 0.938, 450),
    ("Test accuracy, run 5 of 5: 0.938", 0.938, None),
    ("Test accuracy (run 5 of 5) 0.938", 0.938, None),
    ("Test accuracy (epoch: 5 of 5) 0.938", 0.938, None),
    ("Test accuracy at step 5 of 5 = 0.938", 0.938, None),
    ("Test accuracy on 3 of 10 subsets: 0.938", 0.938, None),
    ("| Test accuracy | 0.83 |", 0.83, None),
    ("┃ Test accuracy ┃ 83.2% ┃", 0.832, None),
    ("✅ Test accuracy → 0.83", 0.83, None),
    ("Test accuracy -> 0.83", 0.83, None),
    ("Test accuracy ........ 0.83", 0.83, None),
    ("\tTest accuracy\t0.83", 0.83, None),
    # other notations
    ("Test accuracy: 0,836", 0.836, None),
    ("Test accuracy: 83,6 %", 0.836, None),
    ("Test accuracy：0.8356", 0.8356, None),
    ("Test accuracy：８３．５６％", 0.8356, None),
    # other languages
    ("Testgenauigkeit: 0,836", 0.836, None),
    ("Genauigkeit auf den Testdaten: 83,6 %", 0.836, None),
    ("Die Genauigkeit auf dem Testset beträgt 83,6 %", 0.836, None),
    ("Test-Genauigkeit: 0.836", 0.836, None),
    ("Exactitud en el conjunto de prueba: 0,836", 0.836, None),
    ("Exactitud en test: 83.6%", 0.836, None),
    ("Precisión en el conjunto de prueba: 0.836", 0.836, None),
    ("Precisión de prueba: 83.60%", 0.836, None),
    ("Exactitude sur le jeu de test : 0,836", 0.836, None),
    ("Précision sur les données de test : 83,6 %", 0.836, None),
    ("Acurácia no Teste: 83.60%", 0.836, None),
    ("Acurácia no conjunto de teste: 0.836", 0.836, None),
    ("Точность на тестовой выборке: 0.8360", 0.836, None),
    ("🎯 Итоговая точность на тесте: 0.836", 0.836, None),
    ("Точность на тестовом наборе: 0.9400 (94/100)", 0.94, 100),
    ("Доля правильных ответов на тесте: 83.6%", 0.836, None),
    ("测试集准确率: 0.8356", 0.8356, None),
    ("测试集准确率：83.56%", 0.8356, None),
    ("最终测试准确率: 83.56%", 0.8356, None),
    ("k=3 时 测试集准确率: 0.8356", 0.8356, None),
    ("损失: 0.412\t训练集准确率: 99.1%\t测试集准确率: 83.56%", 0.8356, None),
    ("测试集上的准确率为 83.56%", 0.8356, None),
    ("测试精度：0.8356", 0.8356, None),
    ("测试准确率 = 94 / 100 = 0.9400000", 0.94, 100),
    ("测试准确率 0.8356", 0.8356, None),
    ("Precisión del modelo con los test: 83.60%", 0.836, None),
    ("Précision du modèle de test: 83.60%", 0.836, None),
    ("Acurácia do modelo no teste: 0.8360", 0.836, None),
    ("Acurácia de teste = 83.60%", 0.836, None),
    ("テスト正解率: 83.56%", 0.8356, None),
    ("テストデータの精度: 0.8356", 0.8356, None),
    ("テスト精度：0.8356", 0.8356, None),
]
PLAIN: list[tuple[str, float, int | None]] = [
    ("Accuracy: 9913/10000 (99%)", 0.9913, 10000),
    (" Accuracy: 44.7%, Avg loss: 2.155760 ", 0.447, None),
    ("Accuracy: 83.1%", 0.831, None),
    ("Accuracy 0,54 (baseline 0,50)", 0.54, None),
    ("accuracy score: 0.83", 0.83, None),
    ("Accuracy is: 83.1%", 0.831, None),
    ("Accuracy = 0.831", 0.831, None),
    ("Overall accuracy: 0.831", 0.831, None),
    ("Model accuracy: 83.1%", 0.831, None),
    ("The accuracy of the model is: 0.831", 0.831, None),
    ("The model has an accuracy of 54 percent.", 0.54, None),
    ("Accuracy of the network: 54 %", 0.54, None),
    ("Accuracy at the end of training: 54.2", 0.542, None),
    ("After training: acc 54.1", 0.541, None),
    ("Mean accuracy: 0.9833 (+/- 0.0167)", 0.9833, None),
    ("0.97 accuracy with a standard deviation of 0.02", 0.97, None),
    ("Accuracy: 0.97 (+/- 0.04)", 0.97, None),
    ("Got 300 / 400 with accuracy 75.00", 0.75, None),
    ("    accuracy                           0.97       360", 0.97, 360),
    ("{'eval_loss': 0.3, 'eval_accuracy': 0.91, 'eval_runtime': 1.2, 'epoch': 3.0}", 0.91, None),
    ("  eval_accuracy           =      0.83", 0.83, None),
    ("{'accuracy': 0.91}", 0.91, None),
    ("bin_acc: 0.83", 0.83, None),
    (" * Acc@1 74.046 Acc@5 91.776", 0.74046, None),
    ("Top-1 accuracy: 74.0%, top-5 accuracy: 91.8%", 0.74, None),
    ("Precision: 0.90, Recall: 0.80, Accuracy: 0.85", 0.85, None),
    ("KNN accuracy: 0.85", 0.85, None),
    ("Genauigkeit: 83,6 %", 0.836, None),
    ("Exactitud: 0,836", 0.836, None),
    ("Precisión del modelo: 0.836", 0.836, None),
    ("Acurácia: 83.6%", 0.836, None),
    ("Точность: 0.836", 0.836, None),
    ("准确率: 0.836", 0.836, None),
    ("测试 acc: 0.91", 0.91, None),
    ("测试集 accuracy：91%", 0.91, None),
    ("Accuracy no teste: 0.836", 0.836, None),
    ("Accuracy на тесте: 0.836", 0.836, None),
    ("L'exactitude du modèle est de 83,6 %", 0.836, None),
    ("Accuracy of the model: 83.6% (301/360)", 301 / 360, 360),
    ("acc = 0.836", 0.836, None),
    ("Accuracy: 301 of 360", 301 / 360, 360),
    ("Accuracy: 301 of 360 (test)", 301 / 360, 360),
    ("Accuracy of the model on the test images: 301 out of 360", 301 / 360, 360),
    ("ACC: 83.6%", 0.836, None),
    ("Accuracy score: np.float64(0.836)", 0.836, None),
    ("Accuracy: tensor(0.8360, device='cuda:0')", 0.836, None),
    ("Classification accuracy: 0.836", 0.836, None),
    ("Final accuracy after 10 epochs: 83.6%", 0.836, None),
    ("--- Accuracy: 0.836 ---", 0.836, None),
    ("[RESULT] accuracy=0.836", 0.836, None),
    ("* Accuracy : 83.6 %", 0.836, None),
    ("Accuracy (SVM): 0.836", 0.836, None),
    ("Number of correct: 83, accuracy: 0.83", 0.83, None),
    ("Total: 100, correct: 83, accuracy: 83%", 0.83, None),
    ('  "accuracy": 0.836,', 0.836, None),
    ("accuracy     0.836", 0.836, None),
    ("Acc1 74.046 Acc5 91.776", 0.74046, None),
    ("Accuracy of Ensemble: 83.60", 0.836, None),
    ("Accuracy of Heat Stroke Predictor is 83.6 %", 0.836, None),
    ("精度  （Accuracy）  ： 0.836", 0.836, None),
    ("Acurácia Geral: 83.60%", 0.836, None),
    ("{'eval_accuracy': 0.836}", 0.836, None),
    ("eval/accuracy: 0.836", 0.836, None),
    ("Evaluation accuracy: 0.836", 0.836, None),
    ("Accuracy within 25 %: 83.6%", 0.836, None),
    ("Accuracy within 2.5 points: 0.836", 0.836, None),
    ("Accuracy ±10%: 0.836", 0.836, None),
    ("Accuracy (within 10% of the target): 0.836", 0.836, None),
    ("83.6% accuracy within 25 %", 0.836, None),
    ("Test accuracy and F1: 0.836 0.82", 0.836, None),
    ("Accuracy: 0.836 ± 0.02", 0.836, None),
    ("Accuracy: 0.836 (+/- 0.02)", 0.836, None),
    ("Accuracy: 0.836 0.02", 0.836, None),
    ("Accuracy: 83.6%, 2.1%", 0.836, None),
    ("Accuracy: 0.836 1.23", 0.836, None),
    ("Accuracy: 0.836 [0.80, 0.86]", 0.836, None),
    ("Accuracy: 0.836 (0.80 0.86)", 0.836, None),
    ("Accuracy: 0.836 83.6%", 0.836, None),
    ("Accuracy: 0.836 301 360", 0.836, None),
    ("Accuracy: 0.836 / 1.0", 0.836, None),
    ("Accuracy: 0.836, 0.164 error", 0.836, None),
    ("Accuracy: ['0.836']", 0.836, None),
    ("   准确率: 83.60%", 0.836, None),
    ("正解率: 0.836", 0.836, None),
]
IGNORED = [
    "Train Epoch: 3 [640/60000 (1%)]\tLoss: 0.31",
    "Epoch 3: train accuracy 0.99",
    "Training accuracy: 99.1%",
    "训练集准确率: 99.10%",
    "训练精度: 0.991",
    "Trainingsgenauigkeit: 0.991",
    "Genauigkeit auf den Trainingsdaten: 0,991",
    "Precisión de entrenamiento: 0.991",
    "Acurácia no treino: 0.991",
    "Точность на обучающей выборке: 0.991",
    "訓練データの正解率: 0.991",
    "Accuracy of the network on the 10000 train images: 99 %",
    "accuracy threshold 0.9",
    "Accuracy threshold: 0.9",
    "Target accuracy: 90%",
    "Baseline accuracy: 0.5",
    "Accuracy improved from 0.8 to 0.9",
    "Test accuracy improved from 0.80 to 0.90",
    "Accuracy difference: 0.02",
    "Difference in test accuracy: 0.02",
    "Std of the test accuracy: 0.02",
    "std_acc: 0.02",
    "Stopping when test accuracy reaches 0.99",
    "Training until the test accuracy is 0.99",
    "Test accuracy must be at least 0.90",
    "Test accuracy should be > 0.9",
    "Human test accuracy: 0.95",
    "Test accuracy within 10%",
    "Test accuracy within 0.01 of the target 0.95",
    "Training accuracy within 25 %: 99.1%",
    "State-of-the-art test accuracy: 0.99",
    "{'lr': 0.1, 'target_acc': 0.9, 'stop_acc': 0.99}",
    "Test accuracy (top-5): 0.98",
    "Test Acc5 91.776",
    "Test accuracy per class: 0.98",
    "Test balanced_accuracy: 0.71",
    "Balanced accuracy: 0.71",
    "top-5 accuracy: 0.98",
    "Acc@5 91.776",
    "Reached 99% accuracy so cancelling training!",
    "Precision: 0.9, recall: 0.8",
]
UNREAD = [
    "4990 : Test Loss & Acc = 0.24783 & 87.00",
    "Test loss, accuracy: 0.2478, 0.87",
    "test loss, test acc: [0.2478, 0.87]",
    "Test loss and accuracy: 0.2478 0.87",
    "[loss, accuracy] = [0.2478, 0.87]",
    "test_loss, test_acc: 0.93 0.87",
    "Test loss | acc: 0.93 | 0.5",
    "Test MSE, accuracy: 0.93, 0.5",
    "Loss: 0.31, Accuracy: 0.91",
    "Fold 5: test accuracy: 0.91",
    "Accuracy of plane : 60 %",
    "Accuracy for class: plane is 60.1 %",
    "Test Accuracy of     0: 98% (967/980)",
    "Best accuracy: 0.97 at epoch 12",
    "Accuracy within 25 epochs: 0.97",
    "Accuracy within 25, loss: 0.3",
    "Best test accuracy: 0.97",
    "Adversarial test accuracy: 0.31",
    "Test accuracy: [0.5, 0.83]",
    "Test accuracy: 83/100 (90%)",
    "Test accuracy: 83 of 100 (90%)",
    "Test accuracy: 83 of 100 correct = 0.9",
    "Test accuracy: 450 of 431",
    "Test accuracy: 95.0 of 450",
    "Test accuracy: 9.0 of 10",
    "Test accuracy: 431.0 out of 450.0",
    "Test accuracy: 19 of 450 wrong",
    "Test accuracy: 431 of 450 (19 wrong)",
    "Test accuracy: 431 correct of 450",
    "Test accuracy: 5 of 5 0.93",
    "Test accuracy [epoch: 5 of 5], 0.93",
    "Test accuracy run: 5 of 5, 0.93",
    "Test accuracy of 3 of 10 classes: 0.93",
    "Train/test accuracy: 1347 of 1347, 431 of 450",
    "Train/test accuracy: 1347/1347, 431/450",
    "GaussianNB accuracy ['0.82', '0.75', '0.82', '0.83']",
    "Accuracy: 0.82 0.75 0.82 0.83",
    "Accuracy: 0.9 0.0 0.9",
    "Accuracy: 0.82, 0.75",
    "Accuracy: 0,82; 0,75",
    "Accuracy: 0.82 and 0.75",
    "| accuracy | 0.99 | 0.83 |",
    "Accuracy: 82% 75% 82%",
    "Accuracy: 83 85 82",
    "Accuracy: {0: 0.82, 1: 0.75}",
    "Accuracy: [np.float64(0.82), np.float64(0.75)]",
    "Accuracy: [[0.82], [0.75]]",
    "Train/test accuracy: 0.99 / 0.83",
]


_BEFORE = [
    "",
    "2026-01-01 12:00:00 INFO train.py:45 - ",
    "2026-01-02 10:11:12,123 - INFO - ",
    "2026-01-02 10:11:12,123 - __main__ - INFO - ",
    "[2026-01-02 10:11:12,123][train][INFO] - ",
    "2026-01-02 10:11:12.123 | INFO     | __main__:main:45 - ",
    "I0102 10:11:12.123456 140737 train.py:45] ",
    "[10:11:12] INFO     ",
    "10:11:12 ",
    "INFO:root:",
    "INFO:__main__:",
    "[INFO] ",
    "\r100%|████| 10/10 [00:01<00:00, 9.5it/s]",
    "\r 40%|██  | 4/10\r",
    "\x1b[1m",
    "\x1b[32m\x1b[1m",
]
_AFTER = ["", "\r", "\x1b[0m", "  ", "\x1b[0m\x1b[K\r"]


def _check_reading(output: str, value: float, samples: int | None) -> None:
    test = printed(output).test
    assert test is not None
    assert test.value == pytest.approx(value)
    assert test.samples == samples


@pytest.mark.parametrize(("line", "value", "samples"), TESTS + PLAIN)
def test_accuracy_is_read(line: str, value: float, samples: int | None) -> None:
    """The accuracy is read as a fraction from 0 to 1, whatever the language or notation."""
    _check_reading(f"Loading\n{line}\nSaved\n", value, samples)


@given(st.sampled_from(TESTS + PLAIN), st.sampled_from(_BEFORE), st.sampled_from(_AFTER))
def test_loggers_and_terminals_do_not_change_a_reading(
    stated: tuple[str, float, int | None], before: str, after: str
) -> None:
    """Loggers and terminals may add a time, a file and line number, colours, or a progress bar that the line overwrites."""
    line, value, samples = stated
    assume(not (line.startswith("[") and before.startswith("[")))
    _check_reading(f"Loading\n{before}{line}{after}\nSaved\n", value, samples)


@given(st.sampled_from(IGNORED), st.sampled_from(_BEFORE), st.sampled_from(_AFTER))
def test_other_line_is_ignored(line: str, before: str, after: str) -> None:
    """Training accuracies, targets, changes and other metrics are neither read nor quoted."""
    lines = printed(f"{before}{line}{after}\n")
    assert (lines.test, lines.unparsed) == (None, None)


@pytest.mark.parametrize("line", UNREAD)
def test_line_in_another_form_is_kept(line: str) -> None:
    """A line that looks like an accuracy but cannot be parsed is quoted as printed."""
    lines = printed(f"{line}\n")
    assert (lines.test, lines.unparsed) == (None, line)


def test_heading_names_the_data_of_the_next_line() -> None:
    """The line with the accuracy does not say which data it was measured on."""
    test, training = (
        "Checking accuracy on test data\nGot 97 / 100 with accuracy 97.00\n",
        ("Checking accuracy on training data\nGot 990 / 1000 with accuracy 99.00\n"),
    )
    for output in (test + training, training + test):
        lines = printed(output)
        assert [line.value for line in lines.all_tests] == [0.97]


def test_validation_lines_are_kept_apart() -> None:
    """Validation accuracies count only if nothing else does."""
    lines = printed("val Loss: 0.31 Acc: 0.71\nEpoch 2: val_acc=0.72\n验证集准确率: 73.5%\n")
    assert lines.test is None
    assert [line.value for line in lines.all_validations] == [0.71, 0.72, pytest.approx(0.735)]


def test_other_number_of_a_form_shows_that_it_has_percentages() -> None:
    """A number over 1 must be a percentage, so other lines of the same form are percentages, too."""
    lines = printed("Epoch 9 test accuracy: 1.52\nEpoch 10 test accuracy: 0.91\nTest acc: 0.91\n")
    assert [lines.shows_percents(line) for line in lines.all_tests] == [True, True, False]


@pytest.mark.parametrize("line", ["[10]\tvalidation_0-test_accuracy:0.97", "[20]\tvalid_0's test_accuracy: 0.97"])
def test_line_of_a_boosting_round_is_ignored(line: str) -> None:
    """XGBoost and LightGBM print such a line in each round, for data that may be used for early stopping."""
    lines = printed(f"{line}\n")
    assert (lines.test, lines.unparsed) == (None, None)
