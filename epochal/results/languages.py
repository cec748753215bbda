"""Translate foreign words for accuracy and data in a script's output into English. Performs no I/O."""

import re

PRECISION_MARK = "\ue000"
"""Follows "accuracy" in a translation if the original word can also mean precision, as Spanish "precisión" can."""

MENTION = re.compile(
    "acc|top-?1|genauigk|exactitud|precisi|précisi|acurác|acurac|accuratezz|nauwkeurig|dokładno|doğrulu"
    "|очност|ккуратн|правильных ответов|准确|準確|正确率|正確率|精度|正解率|정확도".encode()
)
"""Matches part of every line that states an accuracy in a supported language. The lines are lower-cased bytes."""
RECALL = re.compile(
    "recall|(?<![a-z0-9])f1(?![a-z0-9])|rappel|sensibil|exhaustiv|revoca|trefferquote|олнот|召回|再現率|适合率|適合率".encode()
)
"""Matches words for recall or F1 in lower-cased bytes. If any line has one, "precisión" and the like mean precision."""

_ENGLISH = re.compile(r"[\x00-\x7f\u2500-\u259f±→✓✅🎯]*")
_FOREIGN_ASCII = re.compile(
    r"genauigkeit|exactitud|acuracia|accuratezza|nauwkeurigheid|testdaten|trainingsdaten|teste\b|treino|treinamento"
    r"|prueba|entrenamiento|validacion|\bmodelo\b",
    re.IGNORECASE,
)
_MODEL = r"modelo|modèle|modells?|clasificador|classificador|red|rede|réseau"
# Compounds come first, and then the words that they are made of.
_TRANSLATIONS = [
    (re.compile(pattern, re.IGNORECASE), f" {english} ")
    for pattern, english in (
        (r"\btrainings?(?=genauigkeit)", "train"),
        (r"\bvalidierungs(?=genauigkeit)", "validation"),
        (r"\btest-?(?:daten(?:satz)?|menge|bilder\w*|(?=genauigkeit))(?![a-z])", "test"),
        (rf"\b(?:del|do|du|des|la|le|el|da|de)\s+(?:{_MODEL})\b|\bмодел[иь]\b|模型的?|モデルの", "of the model"),
        (
            r"(?:\b|(?<=[a-zäöü]))genauigkeit|\bexactitude?\b|\bacur[áa]cia\b|\baccuratezza\b|\bnauwkeurigheid\b",
            "accuracy",
        ),
        (r"\bdokładność\b|\bdoğruluk(?: oranı)?\b|\bаккуратност[ьи]\b|\bдоля правильных ответов\b", "accuracy"),
        (r"准确率|准确度|準確率|準確度|正确率|正確率|正解率|정확도", "accuracy"),
        (r"\bprecisión\b|\bprécision\b|\bprecisão\b|\bточност[ьи]\b|精度", f"accuracy{PRECISION_MARK}"),
        (r"\bfinale?r?\b|最终|最終|итогов\w+|финальн\w+", "final"),
        (r"平均|средн\w+|\bdurchschnittliche\b|\bmittlere\b|\bpromedio\b|\bmoyenne\b|\bmédia\b", "mean"),
        (r"最佳|最高|最好|лучш\w+|\bbeste\b|\bmejor\b|\bmeilleure?\b|\bmelhor\b", "best"),
        (r"\b(?:(?:conjunto|datos|dados)\s+)?(?:de\s+)?(?:pruebas?|teste)\b|\bтест(?:ов\w+|е|а)?\b", "test"),
        (r"测试集?|測試集?|テスト", "test"),
        (r"\b(?:de\s+)?(?:entrenamiento|entraînement|treino|treinamento|apprentissage)\b|обуч\w+|тренир\w+", "train"),
        (r"训练集?|訓練|学習|\btrainings?(?:daten|menge)\w*", "train"),
        (r"\b(?:de\s+)?(?:validaci[óo]n|validação|validierung\w*)\b|валид\w+|验证集?|驗證|検証", "validation"),
        (r"\b(?:evaluaci[óo]n|évaluation|avaliação)\b|评估|評価", "eval"),
        (r"\b(?:beträgt|ist|liegt bei|es|é|est)(?:\s+de)?(?=\s*\d)", "is"),
        (r"\b(?:prozent|por\s?ciento|por\s?cento|pour\s?cent|процент\w*)|パーセント", "%"),
        (r"为|是|は|составля\w+", ":"),
    )
]


def translate(line: str) -> str:
    """Translate a line's words for accuracy and data into English; return an English line unchanged."""
    if _ENGLISH.fullmatch(line) and not _FOREIGN_ASCII.search(line):
        return line
    for pattern, english in _TRANSLATIONS:
        line = pattern.sub(english, line)
    return line
