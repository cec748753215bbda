"""Columns chosen using the labels before the split, and similar but sound scripts in which nothing is found."""

import ast

import pytest

from epochal.analysis.findings import Finding, find_in_sources
from epochal.analysis.findings.source import parse_source

_IMPORTS = """\
import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, cross_val_score, train_test_split
"""

_CHOSEN = {
    "random_labels": (
        """\
rng = np.random.default_rng(0)
X = rng.normal(size=(200, 2000))
y = rng.integers(0, 2, 200)
scores = [abs(np.corrcoef(X[:, j], y)[0, 1]) for j in range(X.shape[1])]
best = np.argsort(scores)[-20:]
X = X[:, best]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
        8,
        "before train_test_split() on line 10",
    ),
    "correlations": (
        """\
c = np.array([abs(np.corrcoef(X[:, j], y)[0, 1]) for j in range(X.shape[1])])
best = np.argsort(c)[-20:]
X = X[:, best]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
        5,
        "before train_test_split() on line 7",
    ),
    "correlations_in_a_loop": (
        """\
scores = []
for j in range(X.shape[1]):
    scores.append(abs(np.corrcoef(X[:, j], y)[0, 1]))
order = np.argsort(scores)
best = order[-20:]
Z = X[:, best]
a, b, c, d = train_test_split(Z, y, random_state=0)
""",
        8,
        "before train_test_split() on line 10",
    ),
    "means_of_classes": (
        """\
diff = np.abs(X[y == 1].mean(0) - X[y == 0].mean(0))
m.fit(X[:800][:, 0], y[:800])
X = X[:, diff.argsort()[::-1][:10]]
m.fit(X[:800], y[:800])
m.score(X[800:], y[800:])
""",
        6,
        "before the split on line 7",
    ),
    "tests_before_slices": (
        """\
s, p = f_classif(X, y)
X = X[:, np.argsort(p)[:10]]
x_train, x_test = X[:800], X[800:]
y_train, y_test = y[:800], y[800:]
m.fit(x_train, y_train)
""",
        5,
        "before the split on line 6",
    ),
    "column_of_correlations": (
        """\
df = pd.read_csv('a.csv')
corr = df.corr()['target'].abs().sort_values(ascending=False)
cols = corr.index[1:11]
X, y = df[cols], df['target']
a, b, c, d = train_test_split(X, y, random_state=0)
""",
        6,
        "before train_test_split() on line 8",
    ),
    "correlation_of_columns": (
        """\
df = pd.read_csv('a.csv')
cols = [c for c in df.columns if abs(df[c].corr(df['target'])) > 0.1]
X = df[cols]
y = df['target']
print(cross_val_score(m, X, y).mean())
""",
        5,
        "before cross_val_score() on line 8",
    ),
    "columns_of_training_rows": (
        """\
def top(df):
    corr = df.drop(columns='target').corrwith(df['target']).abs()
    return corr.nlargest(15).index.tolist()
keep = top(df)
train, test = train_test_split(df, random_state=0)
m.fit(train[keep], train['target'])
""",
        7,
        "before train_test_split() on line 8",
    ),
    "training_rows_with_chosen_columns": (
        """\
best = np.argsort([abs(np.corrcoef(X[:, j], y)[0, 1]) for j in range(9)])[-3:]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
X_train, X_test = X_train[:, best], X_test[:, best]
m.fit(X_train, y_train)
""",
        4,
        "before train_test_split() on line 5",
    ),
    "columns_appended_after_the_split": (
        """\
train, test = train_test_split(df, random_state=0)
useful = []
for c in df.columns:
    if abs(df[c].corr(df['y'])) > 0.6:
        useful.append(c)
m.fit(train[useful], train['y'])
""",
        8,
        "even after train_test_split() on line 4",
    ),
    "measured_before_all_columns": (
        """\
top = X.corrwith(y).abs().nlargest(3).index
a, b, c, d = train_test_split(X, y, random_state=0)
print(m.fit(a, c).score(b, d))
a, b, c, d = train_test_split(X[top], y, random_state=0)
print(m.fit(a, c).score(b, d))
""",
        4,
        "before train_test_split() on line 7",
    ),
    "all_columns_only_in_a_branch": (
        """\
top = X.corrwith(y).abs().nlargest(3).index
a, b, c, d = train_test_split(X[top], y, random_state=0)
if compares:
    a, b, c, d = train_test_split(X, y, random_state=0)
print(m.fit(a, c).score(b, d))
""",
        4,
        "before train_test_split() on line 5",
    ),
    "labels_split_apart": (
        """\
top = X.corrwith(y).abs().nlargest(3).index
a, b = train_test_split(X[top], random_state=0)
c, d = train_test_split(y, random_state=0)
m.fit(a, c)
p = []
for row in b.values:
    p.append(m.predict([row])[0])
print(accuracy_score(d, p))
""",
        4,
        "before train_test_split() on line 5",
    ),
    "function_that_returns_columns": (
        """\
def select(X, y, k=50):
    scores = np.array([abs(np.corrcoef(X[:, j], y)[0, 1]) for j in range(X.shape[1])])
    return X[:, scores.argsort()[::-1][:k]]
X = select(X, y)
a, b, c, d = train_test_split(X, y, random_state=0)
""",
        7,
        "before train_test_split() on line 8",
    ),
    "first_of_the_sorted_columns": (
        """\
columns = df.corr()['t'].abs().sort_values(ascending=False).index[1:11]
X, y = df[columns], df['t']
a, b, c, d = train_test_split(X, y, random_state=0)
""",
        4,
        "before train_test_split() on line 6",
    ),
    "columns_sorted_by_a_key": (
        """\
columns = sorted(df.columns, key=lambda c: abs(df[c].corr(y)))[-10:]
X = df[columns]
print(cross_val_score(m, X, y))
""",
        4,
        "before cross_val_score() on line 6",
    ),
    "cross_validation_of_columns": (
        """\
best = max(range(40), key=lambda j: cross_val_score(m, X[:, [j]], y).mean())
X = X[:, [best]]
print(cross_val_score(m, X, y).mean())
""",
        4,
        "before cross_val_score() on line 6",
    ),
    "names_in_a_list": (
        """\
names = ["age", "height", "weight"]
best = [each for each in names if abs(df[each].corr(y)) > 0.1]
a, b, c, d = train_test_split(df[best], y, random_state=0)
""",
        5,
        "before train_test_split() on line 6",
    ),
    "names_with_a_prefix": (
        """\
prefix = "sensor_1".split("_")[0]
best = [each for each in df.columns if each.startswith(prefix) and abs(df[each].corr(y)) > 0.1]
a, b, c, d = train_test_split(df[best], y, random_state=0)
""",
        5,
        "before train_test_split() on line 6",
    ),
    "function": (
        """\
def main():
    X, y = load()
    best = np.argsort([mutual(X[:, j], y) for j in range(9)])[-3:]
    X = scale(X[:, best])
    a, b, c, d = train_test_split(X, y, random_state=0)
main()
""",
        6,
        "before train_test_split() on line 8",
    ),
}

_LINES_OF_CHOICES = {
    "keep = df.drop(columns='t').corrwith(y).abs().nlargest(9).index\nX = df[keep.tolist()]": 5,
    "keep = df.drop(columns='t').corrwith(y).abs().nlargest(9).index\nkept = list(keep)\nX = df[kept]": 5,
    "keep = list(df.corrwith(y).abs().nlargest(9).index)\nkeep.append('age')\nX = df[keep]": 5,
    "corr = df.corrwith(y).abs()\nX = df.loc[:, corr > 0.1]": 6,
    "corr = df.corrwith(y)\nnames = sorted(df.columns, key=lambda c: corr[c])[:9]\nX = df[names]": 6,
    "def top(df):\n    return df.corrwith(df['t']).abs().nlargest(9).index.tolist()\nkeep = top(df)\nX = df[keep]": 7,
}
"""Ways to choose columns, each with the line of the choice."""

_WAYS_TO_TAKE_COLUMNS = (
    "X[..., best]",
    "X.T[best].T",
    "X.take(best, axis=1)",
    "np.take(X, best, axis=1)",
    "np.take(X, indices=best, axis=-1)",
    "np.delete(X, worst, 1)",
    "np.compress(large, X, axis=1)",
    "X.compress(large, axis=1)",
    "pd.DataFrame(X).take(best, axis='columns')",
    "frame.filter(items=names)",
    "frame.filter(names)",
    "frame.reindex(columns=names)",
    "frame[names]",
    "frame.loc[:, names]",
    "frame.drop(columns=frame.columns[worst])",
    "frame.drop(frame.columns[worst], axis='columns')",
)

_WAYS_TO_CHOOSE = {
    "condition": """\
y, keep = df["t"], []
for c in df.columns:
    if c != "t" and abs(df[c].corr(y)) > 0.1:
        keep.append(c)
X = df[keep]""",
    "guard": """\
target = "t"
y, keep = df[target], []
for c in df.columns:
    r = abs(np.corrcoef(df[c], df[target])[0, 1])
    if c == target or r < 0.1:
        continue
    keep.append(c)
X = df[keep]""",
    "best_so_far": """\
y = df.pop("t")
top, best = 0, None
for c in df.columns:
    r = abs(df[c].corr(y))
    if r > top:
        top, best = r, c
X = df[[best]]""",
    "key_of_columns": """\
y = df.pop("t")
X = df[sorted(df.columns, key=lambda c: abs(df[c].corr(y)))[-9:]]""",
    "limit_before_the_comparison": """\
alpha = 0.05
y, keep = df.pop("t"), ["age"]
for c in df.columns:
    result = ttest_ind(df[c][y == 0], df[c][y == 1])
    if alpha > result.pvalue:
        keep.append(c)
X = df[keep]""",
    "members_of_a_dictionary": """\
y = df.pop("t")
strong = {c: 1 for c in df.columns if abs(df[c].corr(y)) > 0.1}
X = df[[c for c in df.columns if c in strong]]""",
    "function_that_picks_names": """\
def pick(names, scores):
    return [names[i] for i in np.argsort(scores)[-9:]]
y = df.pop("t")
X = df[pick(df.columns, mutual(df, y))]""",
    "joined_scores": """\
y = df.pop("t")
scores = pd.concat([df.corrwith(y).abs(), df.var()], axis=1)
X = df[scores[scores[0] > 0.1].index]""",
    "columns_added_in_a_loop": """\
y, X = df["t"], pd.DataFrame()
for c in df.columns.drop("t"):
    if abs(df[c].corr(y)) > 0.1:
        X[c] = df[c]""",
    "means_of_groups": """\
means = df.groupby("t").mean()
gap = (means.loc[0] - means.loc[1]).abs()
best = gap.sort_values(ascending=False).head(40).index
X, y = df[best], df["t"]""",
    "means_of_masked_rows": """\
gap = (df[df.t == 1].mean() - df[df.t == 0].mean()).abs()
X, y = df[gap.nlargest(9).index], df["t"]""",
    "applied_function": """\
X, y = df.drop(columns="t"), df["t"]
corr = X.apply(lambda column: abs(np.corrcoef(column, y)[0, 1]))
X = X[corr.nlargest(40).index.tolist()]""",
    "series_of_scores": """\
X, y = df.drop(columns="t"), df["t"]
scores = pd.Series(mutual(X, y), index=X.columns).sort_values()
X = X[scores.tail(20).index]""",
    "dictionary": """\
y = df.pop("t")
p = {c: pearsonr(df[c], y)[1] for c in df}
X = df[[c for c, value in sorted(p.items(), key=lambda item: item[1])[:40]]]""",
    "dictionary_filled_in_a_loop": """\
scores = {}
for c in df.columns.drop("t"):
    a, b = df.loc[df.t == 0, c].mean(), df.loc[df.t == 1, c].mean()
    scores[c] = abs(a - b)
keep = sorted(scores, key=scores.get, reverse=True)[:30]
X, y = df[keep], df["t"]""",
    "sorted_pairs": """\
X, y = df.drop(columns="t").values, df["t"].values
scored = [(abs(np.corrcoef(X[:, j], y)[0, 1]), j) for j in range(X.shape[1])]
scored.sort(reverse=True)
X = X[:, [j for s, j in scored[:40]]]""",
    "pairs_in_a_zip": """\
y = df.pop("t")
scores = [abs(df[c].corr(y)) for c in df.columns]
X = df[[c for c, score in zip(df.columns, scores) if score > 0.1]]""",
    "dropped_before_the_labels": """\
target = df["t"]
weak = [c for c in df.columns if c != "t" and abs(df[c].corr(target)) < 0.2]
df = df.drop(columns=weak)
X = df.drop(columns="t")
y = target""",
    "dropped_in_place": """\
corr = df.corr()["t"].abs()
df.drop(columns=corr[corr < 0.2].index, inplace=True)
X, y = df.drop(columns="t"), df["t"]""",
    "dropped_in_a_loop": """\
corr = df.corr()["t"].abs()
for c in df.columns.drop("t"):
    if corr[c] < 0.2:
        df = df.drop(columns=c)
X, y = df.drop(columns="t"), df["t"]""",
    "dropped_in_place_in_a_loop": """\
corr = df.corr()["t"].abs()
for c in df.columns:
    if corr[c] < 0.2:
        df.drop(c, axis=1, inplace=True)
X, y = df.drop(columns="t"), df["t"]""",
    "deleted_in_a_loop": """\
X, y = df.drop(columns="t"), df["t"]
for c in list(X.columns):
    if abs(X[c].corr(y)) < 0.2:
        del X[c]""",
    "popped_in_a_loop": """\
X, y = df.drop(columns="t"), df["t"]
for c in list(X.columns):
    if abs(X[c].corr(y)) < 0.2:
        X.pop(c)""",
    "function_that_returns_names": """\
def best(frame, target, n=30):
    scores = {}
    for name in frame.columns:
        if name == target:
            continue
        a, b = frame.loc[frame[target] == 0, name], frame.loc[frame[target] == 1, name]
        scores[name] = abs(a.mean() - b.mean())
    return sorted(scores, key=scores.get, reverse=True)[:n]
X, y = df[best(df, "t")].to_numpy(), df["t"].to_numpy()""",
    "function_that_returns_a_part": """\
def strong(frame, target="t"):
    keep = [c for c in frame.columns if c != target and abs(frame[c].corr(frame[target])) > 0.1]
    return frame[keep]
X, y = strong(df), df["t"]""",
    "labels_assigned_to_the_frame": """\
X, y = load()
frame = pd.DataFrame(X)
frame["t"] = y
X = frame[frame.corr()["t"].abs().drop("t").nlargest(9).index]""",
    "encoded_labels": """\
df["t"] = df["t"].map({"a": 0, "b": 1})
X, y = df[df.corr()["t"].abs().nlargest(9).index[1:]], df["t"]""",
}

_USES_OF_PARTS = (
    "m.fit(a[keep], c)",
    "m.fit(a.drop(columns=X.columns.difference(keep)), c)",
    "cross_val_score(m, a[keep], c)",
    "scaler.fit(a[keep])\nm.fit(scaler.transform(a[keep]), c)",
)

_WAYS_TO_CUT_SORTED = (
    "X = X[r.index]\nX = X.iloc[:, -9:]",
    "X = X[r.index]\nX = X.drop(columns=X.columns[:9])",
    "X = X[[c for c in r.index if c != 'a'][:9]]",
    "X = X[[c for c in r.index if r[c] > 0.1]]",
    "X = X[r.index[-9:]]",
    "X = X[r.tail(9).index]",
    "X = X[list(r.index)[-9:]]",
    "X = X[[r.index[i] for i in range(9)]]",
    "keep = []\nfor c in r.index:\n    keep.append(c)\n    if len(keep) == 9:\n        break\nX = X[keep]",
)

_WAYS_TO_READ_TUPLES = (
    "X = X[[c for c, _, r in t if r > 0.3]]",
    "X = X[[row[0] for row in t if row[2] > 0.3]]",
    "X = X[[c for _, _, c in sorted((r, m, c) for c, m, r in t)[-9:]]]",
    "keep = []\nfor row in t:\n    c, m, r = row\n    if r > 0.3:\n        keep.append(c)\nX = X[keep]",
    "keep = []\nfor c, m, r in t:\n    if r > 0.3:\n        keep.append(c)\nX = X[keep]",
    "t.sort(key=lambda row: row[2])\nX = X[[c for c, _, _ in t[-9:]]]",
)

_WAYS_TO_FILTER_ROWS = (
    "df = df[df['age'] > 18]",
    "df = df[(df['age'] > 18) & ~df['age'].isna()]",
    "df = df.loc[df['age'] > 18]",
)

_WAYS_TO_TABULATE = (
    "t = pd.DataFrame({'missing': X.isna().mean(), 'corr': X.corrwith(y).abs()})",
    "t = pd.DataFrame({'missing': X.isna().mean()})\nt['corr'] = X.corrwith(y).abs()",
    "def report(X, y):\n    out = pd.DataFrame(index=X.columns)\n    out['corr'] = X.corrwith(y)\n    return out\n"
    "t = report(X, y)",
)

_WAYS_TO_JOIN_LABELS = (
    "X.assign(**{'t': y}).corr()['t']",
    "pd.concat([X, y], axis=1).corr()['t']",
    "X.assign(t=y).corr()['t']",
    "X.join(y).corr().loc['t']",
    "X.merge(y, left_index=True, right_index=True).corr().iloc[:-1, -1]",
    "pd.concat([X, y], axis=1).corr().nlargest(9, 't')",
)

_CHOICES_INSIDE_A_CALL = (
    "a, b, c, d = train_test_split(df[keep], df['t'], random_state=0)",
    "a, b, c, d = train_test_split(df[keep].values, y, random_state=0)",
    "print(cross_val_score(m, df[keep], y).mean())",
    "m.fit(df[keep], y, validation_split=0.2)",
    "m.fit(df[keep][:800], y[:800])",
)

_SPLIT = "\na, b, c, d = train_test_split(X, y, random_state=0)\n"

_RECORDS = {
    "tuples": "t = [(n, df[n].isna().mean(), abs(df[n].corr(y))) for n in df]\n",
    "dictionaries": "t = [{'col': n, 'gaps': df[n].isna().mean(), 'corr': abs(df[n].corr(y))} for n in df]\n",
    "named_tuples": "from collections import namedtuple\nInfo = namedtuple('Info', 'col gaps corr')\n"
    "t = [Info(n, df[n].isna().mean(), corr=abs(df[n].corr(y))) for n in df]\n",
    "table": "t = []\nfor n in df:\n    t.append((n, df[n].isna().mean(), abs(df[n].corr(y))))\n"
    "t = pd.DataFrame(t, columns=['col', 'gaps', 'corr'])\n",
}
"""Ways to compute a share of missing values and a correlation with the labels for each column."""
_WAYS_TO_READ_RECORDS = {
    "tuples": (
        "[n for n, gaps, corr in t if {} > 0.1]",
        "[n for i, (n, gaps, corr) in enumerate(t) if {} > 0.1]",
    ),
    "dictionaries": (
        "[s['col'] for s in t if s['{}'] > 0.1]",
        "[s['col'] for s in sorted(t, key=lambda s: s['{}'])[-9:]]",
        "[s['col'] for s in filter(lambda s: s['{}'] > 0.1, t)]",
        "[s['col'] for s in sorted(t, key=itemgetter('{}'))[-9:]]",
    ),
    "named_tuples": ("[s.col for s in t if s.{} > 0.1]", "[n for n, gaps, corr in t if {} > 0.1]"),
    "table": (
        "t.loc[t['{}'] > 0.1, 'col'].tolist()",
        "t[t.{} > 0.1].col.tolist()",
        "t.sort_values('{}').tail(9)['col'].tolist()",
        "t.nlargest(9, columns='{}')['col'].tolist()",
        "t.set_index('col').{}.nlargest(9).index",
        "[s['col'] for _, s in t.iterrows() if s['{}'] > 0.1]",
    ),
}
_WAYS_TO_READ_UNKNOWN_FIELDS = {
    "tuples": ("[n for n, *rest in t if rest[1] > 0.1]", "[s[0] for s in t if s[-1] > 0.1]"),
    "dictionaries": ("[s['col'] for s in sorted(t, key=rank)[-9:]]",),
    "named_tuples": ("[s[0] for s in t if s[2] > 0.1]",),
    "table": ("t[t.iloc[:, 2] > 0.1]['col'].tolist()", "[n for n, gaps, corr in t.values if corr > 0.1]"),
}

_CHOSEN_BEFORE_FOLDS = {
    "validation_split": ("h = m.fit(X_train[:, best], y_train, validation_split=0.25)", "fit()", "validation_data="),
    "search": (
        "from sklearn.model_selection import GridSearchCV\nX_train = X_train[:, best]\n"
        "s = GridSearchCV(m, g).fit(X_train, y_train)\nprint(s.best_score_)",
        "GridSearchCV()",
        'as in "svc__C"',
    ),
    "search_in_two_steps": (
        "from sklearn.model_selection import GridSearchCV\ns = GridSearchCV(m, g)\ns.fit(X_train[:, best], y_train)\n"
        "print(s.best_score_)\nprint(s.score(X_train[:, best], y_train))",
        "GridSearchCV()",
        'as in "svc__C"',
    ),
    "cross_validation": (
        "Z = X_train[:, best]\nprint(cross_val_score(m, Z, y_train).mean())",
        "cross_val_score()",
        "make_pipeline(SelectKBest(…), model) to cross_val_score()",
    ),
}
_TESTED_LATER = (
    "m.evaluate(X_test[:, best], y_test)",
    "p = m.predict(X_test[:, best]).argmax(1)\nprint('accuracy', np.mean(p == y_test))",
    "print('accuracy', (m.predict(X_test[:, best]) == y_test).mean())",
    "print(accuracy_score(y_test, m.predict(X_test[:, best])))",
)
_EXPERIMENT = """\
def top(X, y):
    return np.argsort(np.abs(X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0)))[-9:]
cols = top(X, y)
a, b, c, d = train_test_split(X[:, cols], y, random_state=0)
print(m.fit(a, c).score(b, d))
"""
_CLEAN_SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)\n"
_TEST = "print(m.fit(X_train[:, cols], y_train).score(X_test[:, cols], y_test))\n"
_TRAINING_COLUMNS = """\
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
best = np.abs(X_train[y_train == 1].mean(axis=0) - X_train[y_train == 0].mean(axis=0)).argsort()[-40:]
"""

_SOUND = {
    "columns_in_order_without_the_label": """\
order = df.corr()["y"].abs().sort_values(ascending=False).index
df = df[order]
X, y = df.drop(columns="y"), df["y"]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "columns_in_order_without_named_ones": """\
r = df.corr()["y"].abs().sort_values()
features = [c for c in r.index if c not in ("y", "id") if c != "name"]
X, y = df[features], df["y"]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "columns_in_order_and_the_label": """\
r = df.drop(columns="y").corrwith(df["y"]).sort_values()
df = df[list(r.index) + ["y"]]
X, y = df.drop(columns="y"), df["y"]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "all_columns_measured_last": """\
top = X.corrwith(y).abs().nlargest(3).index
a, b, c, d = train_test_split(X[top], y, random_state=0)
print(m.fit(a, c).score(b, d))
a, b, c, d = train_test_split(X, y, random_state=0)
p = m.fit(a, c).predict(b)
print(accuracy_score(d, p))
""",
    "validation_split_of_the_training_rows_of_each_fold": """\
for tr, te in KFold(5).split(X):
    best = np.argsort([mutual(X[tr][:, j], y[tr]) for j in range(9)])[-5:]
    m.fit(X[tr][:, best], y[tr], validation_split=0.1)
    print(m.score(X[te][:, best], y[te]))
""",
    "pilot_rows_before_folds_of_the_others": """\
X_pilot, X_rest, y_pilot, y_rest = train_test_split(X, y, random_state=0)
best = np.argsort([mutual(X_pilot[:, j], y_pilot) for j in range(9)])[-5:]
print(cross_val_score(m, X_rest[:, best], y_rest).mean())
""",
    "tuples_of_missing_values": """\
X, y = df.drop(columns="y"), df["y"]
t = []
for c in X:
    t.append((c, X[c].isna().mean(), X[c].corr(y)))
print(sorted(t, key=lambda r: r[2]))
X = X.drop(columns=[c for c, missing, _ in t if missing > 0.5])
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "only_reordered": """\
X, y = df.drop(columns="y"), df["y"]
X = X[X.corrwith(y).abs().sort_values().index]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "columns_of_stacked_tables": """\
one, two = pd.read_csv("2019.csv"), pd.read_csv("2020.csv")
na = pd.concat([one, two]).isna().mean()
cols = na[na < .2].index
df = pd.concat([one[cols], two[cols]], ignore_index=True)
a, b, c, d = train_test_split(df.drop(columns="y"), df["y"], random_state=0)
""",
    "returned_with_counts_of_labels": """\
def check(X, y):
    return X.isna().mean(), y.value_counts()
X, y = df.drop(columns="y"), df["y"]
missing, balance = check(X, y)
X = X[missing[missing < 0.3].index]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "labels_beside_computed_columns": """\
few = [c for c in df.columns if df[c].count() < 9]
df.drop(columns=few, inplace=True)
df = df.assign(**{f"log_{c}": np.log1p(df[c]) for c in ("a", "b") if c not in few})
X, y = df.drop(columns="y"), df["y"]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "table_of_missing_values": """\
X, y = df.drop(columns="y"), df["y"]
t = pd.DataFrame({"missing": X.isna().mean(), "corr": X.corrwith(y)})
print(t.sort_values("corr"))
X = X.drop(columns=t[t["missing"] > 0.5].index)
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "report_of_missing_values": """\
def report(X, y):
    out = pd.DataFrame(index=X.columns)
    out["missing"] = X.isna().mean()
    out["corr"] = X.corrwith(y)
    return out.sort_values("missing", ascending=False)
X, y = df.drop(columns="y"), df["y"]
r = report(X, y)
X = X.drop(columns=r.index[r["missing"] > 0.5])
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "records_of_missing_values": """\
y = df.pop("y")
rows = []
for c in df.columns:
    rows.append({"col": c, "missing": df[c].isna().mean(), "corr": df[c].corr(y)})
t = pd.DataFrame(rows).set_index("col")
X = df.drop(columns=t.index[t.missing > 0.4])
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "joined_to_correlate": """\
X, y = df.drop(columns="y"), df["y"]
r = pd.concat([X, y], axis=1).corr().abs()
print(r["y"].sort_values())
bad = [c for i, c in enumerate(X.columns) if (r.iloc[:i, i] > 0.95).any()]
X = X.drop(columns=bad)
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "assigned_to_correlate": """\
X, y = df.drop(columns="y"), df["y"]
r = X.assign(target=y).corr().drop(index="target", columns="target").abs()
X = X.drop(columns=[c for i, c in enumerate(r.columns) if (r.iloc[:i, i] > 0.95).any()])
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "merged_with_labels": """\
m = X.merge(l, left_index=True, right_index=True)
na = m.isna().mean()
X = X.loc[m.index, [c for c in X.columns if na[c] < .5]]
y = l.loc[m.index]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "aligned_with_labels": """\
X, y = df.drop(columns="y"), df["y"]
a, b = X.align(y, axis=0, join="inner")
n = a.nunique()
X = X[n[n > 1].index]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "mapped_labels_in_the_frame": """\
f = X.copy()
f["target"] = y.map({0: "malignant", 1: "benign"})
low = f.nunique()
X = X.drop(columns=[c for c in X.columns if low[c] < 3])
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "rows_of_other_years": """\
f = [c for c in df if c.startswith("g_")]
old, new = df[df["year"] < 2015], df[df["year"] >= 2015]
top = old[f].corrwith(old["y"]).abs().nlargest(20).index
a, b, c, d = train_test_split(new[top], new["y"], random_state=0)
""",
    "rows_of_neither_test": """\
old, new = df[(df["year"] < 2015) & df["ok"]], df[~(df["year"] < 2015)]
top = old.corrwith(old["y"]).abs().nlargest(20).index
a, b, c, d = train_test_split(new[top], new["y"], random_state=0)
""",
    "training_rows_by_short_names": """\
z = np.load("z.npz")
Xtrain, ytrain, Xtest, ytest = z["a"], z["b"], z["c"], z["d"]
r = np.abs([np.corrcoef(Xtrain[:, j], ytrain)[0, 1] for j in range(50)])
k = np.argsort(r)[-20:]
m.fit(Xtrain[:, k], ytrain, validation_split=0.1)
m.evaluate(Xtest[:, k], ytest)
""",
    "training_rows_by_key": """\
A, a = D["train"]
B, b = D["test"]
r = np.abs(np.corrcoef(A.T, a)[-1, :-1])
k = np.argsort(r)[-30:]
m.fit(A[:, k], a, validation_split=0.1)
m.evaluate(B[:, k], b)
""",
    "measured_on_another_file": """\
df = pd.read_csv("labelled.csv")
final = pd.read_csv("final.csv")
r = df.corr()["y"].drop("y").abs()
cols = r.nlargest(20).index
a, b, c, d = train_test_split(df[cols], df["y"], random_state=0)
m = SVC(C=max((1, 10), key=lambda C: SVC(C=C).fit(a, c).score(b, d))).fit(df[cols], df["y"])
print("accuracy", accuracy_score(final["y"], m.predict(final[cols])))
""",
    "measured_on_another_tuple": """\
(x, y), (u, v) = load_data()
r = np.abs([np.corrcoef(x[:, j], y)[0, 1] for j in range(50)])
k = np.argsort(r)[-20:]
m.fit(x[:, k], y, validation_split=0.1)
m.evaluate(u[:, k], v, verbose=0)
""",
    "measured_on_rows_of_another_test": """\
A, a = X[site != 3], y[site != 3]
B, b = X[site == 3], y[site == 3]
r = np.abs(A[a == 1].mean(0) - A[a == 0].mean(0))
k = np.argsort(r)[-30:]
m.fit(A[:, k], a, validation_split=0.1)
m.evaluate(B[:, k], b)
""",
    "varied_columns_of_a_part": "X, y = df.drop(columns='y'), df['y']\nkeep = X.columns[X.nunique() > 1]"
    + _SPLIT
    + "m.fit(a[keep], c)",
    "varied_columns_of_an_array_part": "keep = X.var(axis=0) > 0" + _SPLIT + "m.fit(a[:, keep], c)",
    "correlated_columns_of_a_part": """\
X, y = df.drop(columns='y'), df['y']
r = X.corr().abs()
bad = [c for i, c in enumerate(X.columns) if (r.iloc[:i, i] > 0.95).any()]
a, b, c, d = train_test_split(X, y, random_state=0)
cross_val_score(m, a.drop(columns=bad), c)
""",
    "sorted_names_of_a_part": "X, y = df.drop(columns='y'), df['y']\n"
    "cols = sorted(c for c in X.columns if c.startswith('f_'))" + _SPLIT + "m.fit(a[cols], c)",
    "labels_of_varied_columns": """\
keep = [c for c in df if df[c].nunique() > 1]
df = df[keep].dropna(subset=keep)
a, b, c, d = train_test_split(df.drop(columns="y"), df["y"], random_state=0)
""",
    "labels_of_listed_columns": """\
keep = [c for c in df if df[c].nunique() > 1]
df = df[keep + ["y"]]
df = df.drop_duplicates(subset=keep).fillna({c: 0 for c in keep}).rename(columns={c: c.lower() for c in keep})
df.columns = [c.strip() for c in keep] + ["y"]
df = pd.get_dummies(df, columns=keep[:2])
a, b, c, d = train_test_split(df.drop(columns="y"), df["y"], random_state=0)
""",
    "labels_of_masked_columns": """\
n = df.nunique()
df = df.loc[:, n > 1]
a, b, c, d = train_test_split(df.drop(columns="y"), df["y"], random_state=0)
""",
    "labels_of_masked_array": "v = d.var(axis=0)\nd = d[:, v > 1e-6]\nX, y = d[:, :-1], d[:, -1]" + _SPLIT,
    "list_of_labels": "y = df[[TARGET]].values.ravel()\nX = df.drop(columns=[TARGET])" + _SPLIT,
    "items": "y = df.filter(items=[target])\nX = df.drop(columns=target)" + _SPLIT,
    "getattr": "y = getattr(df, target)\nX = df.drop(columns=target)" + _SPLIT,
    "constant": "TARGET = 'target'\ny = encode(df, TARGET)\nX = df[df.nunique()[df.nunique() > 1].index.drop(TARGET)]"
    + _SPLIT,
    "last_column": "n = data.shape[1] - 1\nX, y = data[:, range(n)], data[:, n:]" + _SPLIT,
    "index": "y = df['target'].dropna()\nX = df.loc[y.index, df.columns != 'target']" + _SPLIT,
    "empty_index": "X = X[()]" + _SPLIT,
    "label_name_list": "X = df.drop(columns=[TARGET])\ny = df[TARGET]" + _SPLIT,
    "label_name_axis": "y = df[TARGET]\nX = df.drop(TARGET, axis=1)" + _SPLIT,
    "label_name_comprehension": "X, y = df[[c for c in df.columns if c != TARGET]], df[TARGET]" + _SPLIT,
    "label_name_difference": "X, y = df[df.columns.difference([TARGET])], df[TARGET]" + _SPLIT,
    "label_name_attribute": "X = df.drop(columns=args.target)\ny = df[args.target]" + _SPLIT,
    "label_name_setting": "X = df.drop(columns=cfg['target'])\ny = df[cfg['target']]" + _SPLIT,
    "label_name_popped": "columns = [c for c in df.columns if c != TARGET]\ny = df.pop(TARGET)\nX = df[columns]"
    + _SPLIT,
    "label_name_name": "y = df[TARGET]\nX = df[df.columns[df.columns != y.name]]" + _SPLIT,
    "label_name_loc": "y = df.loc[:, TARGET]\nX = df.loc[:, df.columns != TARGET]" + _SPLIT,
    "function_of_training_rows": """\
def top(df):
    return df.corr()['target'].abs().nlargest(15).index
train, test = train_test_split(df, random_state=0)
keep = top(train)
m.fit(train[keep], train['target'])
""",
    "function_that_leaves_out_the_labels": """\
def features(df):
    print(df['target'].mean())
    return [c for c in df.columns if c != 'target']
keep = features(df)
train, test = train_test_split(df, random_state=0)
m.fit(train[keep], train['target'])
""",
    "training_rows": """\
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
c = [abs(np.corrcoef(X_train[:, j], y_train)[0, 1]) for j in range(9)]
best = np.argsort(c)[-20:]
X_train, X_test = X_train[:, best], X_test[:, best]
X_train, X_val, y_train, y_val = train_test_split(X_train, y_train, random_state=0)
""",
    "sliced_rows": """\
c = [abs(np.corrcoef(X[:800, j], y[:800])[0, 1]) for j in range(9)]
best = np.argsort(c)[-20:]
X = X[:, best]
m.fit(X[:800], y[:800])
m.score(X[800:], y[800:])
""",
    "masked_rows": """\
mask = rng.random(len(y)) < 0.8
c = [abs(np.corrcoef(X[mask][:, j], y[mask])[0, 1]) for j in range(9)]
best = np.argsort(c)[-20:]
X = X[:, best]
m.fit(X[mask], y[mask])
""",
    "folds": """\
for tr, te in KFold(5).split(X, y):
    best = np.argsort([corr(X[tr, j], y[tr]) for j in range(9)])[-20:]
    Z = X[:, best]
    m.fit(Z[tr], y[tr])
    m.score(Z[te], y[te])
""",
    "numbered_folds": """\
for i, (tr, te) in enumerate(kf.split(X, y)):
    best = np.argsort([corr(X[tr, j], y[tr]) for j in range(9)])[-20:]
    Z = X[:, best]
    m.fit(Z[tr], y[tr])
""",
    "correlated_columns": """\
df = pd.read_csv('a.csv')
corr = df.corr().abs()
upper = corr.where(np.triu(np.ones(corr.shape), k=1).astype(bool))
to_drop = [c for c in upper.columns if any(upper[c] > 0.95)]
df = df.drop(columns=to_drop)
X, y = df.drop(columns='target'), df['target']
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "columns_except_labels": """\
df = pd.read_csv('a.csv')
cols = [c for c in df.columns if c != 'target']
X = df[cols]
y = df['target']
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "numeric_columns": """\
df = pd.read_csv('a.csv')
y = df.pop('target')
numeric = df.select_dtypes('number').columns
df[numeric] = (df[numeric] - df[numeric].mean()) / df[numeric].std()
a, b, c, d = train_test_split(df, y, random_state=0)
""",
    "rows_of_classes": """\
df = pd.read_csv('a.csv')
df = df[df['target'] != 3]
X = df[['a', 'b']].values
y = df['target'].values
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "masked_classes": """\
keep = y != 2
X, y = X[keep], y[keep]
X = X[:, :n]
X = X[:, [0, 2]]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "permuted_columns": """\
X = X[:, np.newaxis, :]
X = X[:, rng.permutation(X.shape[1])]
y = to_categorical(y, len(np.unique(y)))
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "constant_columns": """\
X = X[:, X.std(axis=0) > 0]
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "printed_correlations": """\
df = pd.read_csv('a.csv')
corr = df.corr()
print(corr['target'].sort_values())
sns.heatmap(corr)
X, y = df.drop('target', axis=1), df['target']
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "encoded_columns": """\
df = pd.read_csv('a.csv')
y = df['target']
df = pd.get_dummies(df.drop(columns=['target']), columns=df.columns[:3])
a, b, c, d = train_test_split(df, y, random_state=0)
""",
    "windows": """\
windows = np.array([data[i:i + 10] for i in range(len(data) - 10)])
X, y = windows[:, :-1], windows[:, -1]
n = int(len(X) * 0.8)
m.fit(X[:n], y[:n])
""",
    "fixed_columns": """\
X = iris.data[:, [2, 3]]
y = iris.target
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "rows_taken": "rows = np.argsort(y)[:100]\nX = np.take(X, rows, axis=0)\ny = y.take(rows)" + _SPLIT,
    "rows_deleted": "worst = np.argsort(np.abs(y - y.mean()))[-9:]\nX = np.delete(X, worst, 0)" + _SPLIT,
    "columns_taken_for_their_spread": "X = np.take(X, np.argsort(X.std(0))[-9:], axis=1)" + _SPLIT,
    "spread_and_name": "keep = [c for c in df.columns if c != 't' and df[c].var() > 1e-4]\nX, y = df[keep], df['t']"
    + _SPLIT
    + "m.fit(a, c)\n",
    "missing_values_and_name": "keep = [c for c in df.columns if c != 't' and df[c].isna().mean() < 0.5]\n"
    "X, y = df[keep], df['t']" + _SPLIT + "m.fit(a, c)\n",
    "values_and_name": "keep = [c for c in df.columns if df[c].nunique() > 1 and c != 't']\nX, y = df[keep], df['t']"
    + _SPLIT
    + "m.fit(a, c)\n",
    "spread_and_names": "keep = [c for c in df.columns if c not in (TARGET,) and df[c].std() > 0.001]\n"
    "X, y = df[keep], df[TARGET]" + _SPLIT + "m.fit(a, c)\n",
    "labels_named_by_an_option": """\
target = args.target
y, keep = df[target], []
for c in df.columns:
    if c == target or df[c].isna().mean() > 0.4:
        continue
    keep.append(c)
X = df[keep]"""
    + _SPLIT,
    "rarest_class": """\
rare = df["t"].value_counts().idxmin()
keep = [c for c in df.columns if c != "t" and df[c].var() > 0]
X, y = df[keep], (df["t"] == rare).astype(int)"""
    + _SPLIT
    + "m.fit(a, c)\n",
    "loop_over_missing_values": """\
for c in df.columns:
    if df[c].isna().mean() > 0.5:
        df = df.drop(columns=c)
X, y = df.drop(columns="t"), df["t"]"""
    + _SPLIT
    + "m.fit(a, c)\n",
    "dropped_in_place_for_missing_values": """\
df.drop(columns=[c for c in df if df[c].isna().mean() > 0.5], inplace=True)
X, y = df.drop(columns="t"), df["t"]"""
    + _SPLIT,
    "spread_in_a_dictionary": """\
y = df.pop("t")
spread = {c: df[c].var() for c in df}
X = df[sorted(spread, key=spread.get)[-50:]]"""
    + _SPLIT,
    "applied_spread": """\
X, y = df.drop(columns="t"), df["t"]
X = X[X.apply(lambda column: column.var()).nlargest(50).index]"""
    + _SPLIT,
    "columns_correlated_with_each_other": """\
X, y = df.drop(columns="t"), df["t"]
corr, bad = X.corr().abs(), set()
for i, first in enumerate(X.columns):
    for second in X.columns[i + 1:]:
        if corr.loc[first, second] > 0.95:
            bad.add(second)
X = X.drop(columns=bad)"""
    + _SPLIT,
    "redundant_columns_dropped_before_the_labels": """\
corr = df.drop(columns="t").corr().abs()
df = df.drop(columns=[c for c in corr.columns if any(corr[c] > 0.95)])
X, y = df.drop(columns="t"), df["t"]"""
    + _SPLIT,
    "logarithms_of_columns": """\
X, y = df.drop(columns="t"), df["t"]
for c in X.columns:
    if X[c].skew() > 1:
        X[c] = np.log1p(X[c])
bad = []
for c in X.columns:
    if X[c].isna().mean() > 0.3:
        bad.append(c)
X = X.drop(columns=bad)"""
    + _SPLIT,
    "strong_columns_only_printed": """\
X, y = df.drop(columns="t"), df["t"]
strong = []
for c in X.columns:
    if abs(X[c].corr(y)) > 0.5:
        strong.append(c)
print(strong)"""
    + _SPLIT,
    "rows_sorted_by_labels": """\
order = df["t"].sort_values().head(500).index
X, y = df["text"][order], df["t"][order]"""
    + _SPLIT,
    "rows_with_the_largest_labels": """\
y = df["t"]
rows = y.nlargest(50).index
X, y = df.loc[rows], y[rows]"""
    + _SPLIT,
    "rows_for_which_a_function_holds": """\
kept = df["text"].apply(lambda text: len(text) > 3)
df = df[kept]
X, y = df["text"], df["t"]"""
    + _SPLIT,
    "groups_of_rows": """\
means = df.groupby("t").mean()
for c in means.index:
    if means.loc[c, "v"] > 3:
        df = df[df["t"] != c]
X, y = df.drop(columns="t"), df["t"]"""
    + _SPLIT,
    "rows_deleted_in_a_loop": """\
for i in reversed(range(len(X))):
    if y[i] > 5:
        del X[i]
        y.pop(i)"""
    + _SPLIT,
    "rows_kept_in_a_loop": """\
keep = []
for i in range(len(X)):
    if y[i] < 5:
        keep.append(i)
X, y = X[keep], y[keep]"""
    + _SPLIT,
    "rare_classes_deleted": """\
counts = Counter(y)
for label in counts:
    if counts[label] < 5:
        del groups[label]
X = np.array(groups)"""
    + _SPLIT,
    "labels_chosen_by_their_values": """\
target = min(df.columns, key=lambda c: df[c].nunique())
features = [c for c in df.columns if c != target and df[c].std() > 0]
X, y = df[features], df[target]"""
    + _SPLIT,
    "number_of_classes": """\
X, y = df.drop(columns="t"), df["t"]
X = X[X.columns[:min(10, y.nunique())]]"""
    + _SPLIT,
    "generator_of_noise": """\
rng = np.random.default_rng(0)
X, y = np.load("x.npy"), np.load("y.npy") + rng.normal(size=9)
X = X[:, rng.random(9) > 0.5]"""
    + _SPLIT,
    "limit_in_the_options": """\
def main(args):
    X, y = pd.read_csv("x.csv"), pd.read_csv(args.labels)["t"]
    X = X.loc[:, X.std() > args.limit]
    a, b, c, d = train_test_split(X, y, random_state=0)
main(args)
""",
    "function_that_ignores_the_labels": """\
def clean(X, y):
    return X[[c for c in X.columns if X[c].var() > 0.1]], y
X, y = clean(df.drop(columns="t"), df["t"])"""
    + _SPLIT,
    "function_that_leaves_out_the_labels_by_name": """\
def keep(df, target):
    return [c for c in df.columns if c != target and df[c].nunique() > 1]
X, y = df[keep(df, "t")], df["t"]"""
    + _SPLIT,
    "dictionary_of_training_rows": """\
train, test = train_test_split(df, random_state=0)
scores = {}
for c in train.columns.drop("t"):
    scores[c] = abs(train[c].corr(train["t"]))
keep = sorted(scores, key=scores.get)[-10:]
m.fit(train[keep], train["t"])
m.score(test[keep], test["t"])
""",
    "validation_of_training_rows": """\
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
keep = X_train.corrwith(y_train).abs().nlargest(9).index
a, b, c, d = train_test_split(X_train[keep], y_train, random_state=0)
m.fit(X_train[keep], y_train, validation_split=0.2)
m.score(X_test[keep], y_test)
""",
    "function_of_training_columns": """\
def choose(frame, target):
    scores = {c: abs(frame[c].corr(frame[target])) for c in frame.columns if c != target}
    return sorted(scores, key=scores.get)[-9:]
train, test = train_test_split(df, random_state=0)
keep = choose(train, "t")
m.fit(train[keep], train["t"])
m.score(test[keep], test["t"])
""",
    "columns_of_folds": """\
for tr, te in KFold(5).split(X, y):
    scores = {}
    for c in X.columns:
        scores[c] = abs(X[c].iloc[tr].corr(y.iloc[tr]))
    keep = sorted(scores, key=scores.get)[-9:]
    m.fit(X.iloc[tr][keep], y.iloc[tr])
    m.score(X.iloc[te][keep], y.iloc[te])
""",
    "columns_dropped_and_filled_in_loops": """\
df = pd.read_csv('t.csv')
for k in df.columns:
    if df[k].nunique() > 50:
        df = df.drop(columns=k)
for k in df.columns:
    df[k] = df[k].fillna(0)
X, y = df.drop(columns='y'), df['y']
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "columns_with_missing_values_beside_the_labels": """\
X, y = pd.read_csv('x.csv'), pd.read_csv('y.csv')['y']
df = pd.concat([X, y], axis=1)
missing = df.isna().mean()
X = X.drop(columns=missing[missing > 0.5].index)
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "columns_named_like_a_part": """\
X, y = pd.read_csv('x.csv'), pd.read_csv('y.csv')['y']
X = X.drop(columns=[c for c in X if X[c].isna().mean() > 0.5])
a, b, c, d = train_test_split(X, y, random_state=0)
""",
    "columns_of_a_function": """\
def load(path):
    df = pd.read_csv(path)
    return df.drop(columns='y'), df['y']
X, y = load('d.csv')
spread = X.var()
keep = spread[spread > 0].index
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
m.fit(X_train[keep], y_train)
""",
    "categories_encoded_in_a_loop": """\
y = df.pop('y')
categories = [c for c in df if df[c].nunique() < 50]
others = [c for c in df if c not in categories]
for c in categories:
    df[c] = df[c].astype('category').cat.codes
a, b, c, d = train_test_split(df, y, random_state=0)
m.fit(np.hstack([a[categories], a[others]]), c, validation_split=0.1)
""",
    "pairs_of_columns": """\
for pair in ([0, 1], [0, 2]):
    Z = iris.data[:, pair]
    y = iris.target
    m.fit(Z, y)
""",
}


def _find(text: str) -> list[Finding]:
    """Return the findings about choices of columns in a script that begins with ``_IMPORTS``."""
    source = parse_source("nn.py", ast.parse(_IMPORTS + text))
    kinds = ("chosen_before_split", "learned_before_folds")
    return [each for each in find_in_sources((source,)) if each.kind in kinds]


@pytest.mark.parametrize("way", _WAYS_TO_TAKE_COLUMNS)
def test_choice_is_found_however_the_columns_are_taken(way: str) -> None:
    """Columns may be kept or left out, by an index or by a function, of an array or a data frame."""
    text = f"""\
scores = np.array([abs(np.corrcoef(X[:, j], y)[0, 1]) for j in range(X.shape[1])])
best, worst, large = scores.argsort()[-20:], scores.argsort()[:-20], scores > 0.1
frame = pd.DataFrame(X)
names = frame.columns[best]
Z = {way}
a, b, c, d = train_test_split(Z, y, random_state=0)
"""
    assert [each.line for each in _find(text)] == [5]


@pytest.mark.parametrize("name", _WAYS_TO_CHOOSE)
def test_choice_is_found_however_it_is_made(name: str) -> None:
    """Conditions in loops, ranked series and dictionaries, and functions choose columns, as comprehensions do."""
    text = "df = pd.read_csv('a.csv')\n" + _WAYS_TO_CHOOSE[name] + _SPLIT
    (finding,) = _find(text)
    assert "before train_test_split() on line" in finding.message


@pytest.mark.parametrize("call", _CHOICES_INSIDE_A_CALL)
def test_choice_is_found_inside_the_call_that_splits(call: str) -> None:
    """The columns may be taken in the argument of the function that splits the data."""
    text = f"y = df['t']\nkeep = df.drop(columns='t').corrwith(y).abs().nlargest(30).index\n{call}\n"
    assert [each.line for each in _find(text)] == [5]


@pytest.mark.parametrize("choice", _LINES_OF_CHOICES)
def test_finding_names_the_line_of_the_choice(choice: str) -> None:
    """A line that only copies or takes the chosen columns need not be changed."""
    (finding,) = _find(f"y = df['t']\n{choice}\nprint(cross_val_score(m, X, y).mean())\n")
    assert finding.line == _LINES_OF_CHOICES[choice]


@pytest.mark.parametrize("way", _WAYS_TO_CUT_SORTED)
def test_choice_is_found_if_sorted_columns_are_cut(way: str) -> None:
    """Columns that are only sorted are all kept, but some of them are not."""
    text = f"y = df['t']\nX = df.drop(columns='t')\nr = X.corrwith(y).abs().sort_values()\n{way}{_SPLIT}"
    assert _find(text)


@pytest.mark.parametrize("way", _WAYS_TO_READ_TUPLES)
def test_choice_is_found_if_the_element_with_labels_is_read(way: str) -> None:
    """Of a list of tuples with several values for each column, only those that are read decide."""
    text = f"""\
y = df['t']
X = df.drop(columns='t')
t = []
for c in X.columns:
    t.append((c, X[c].isna().mean(), abs(X[c].corr(y))))
{way}{_SPLIT}"""
    assert _find(text)


@pytest.mark.parametrize("way", _WAYS_TO_FILTER_ROWS)
def test_choice_is_found_after_rows_are_left_out(way: str) -> None:
    """The test that leaves rows out holds for all the data that is split later."""
    text = f"{way}\ntop = df.corr()['y'].drop('y').abs().nlargest(9).index\nX, y = df[top], df['y']{_SPLIT}"
    assert _find(text)


@pytest.mark.parametrize("joined", _WAYS_TO_JOIN_LABELS)
def test_choice_is_found_if_joined_labels_are_read(joined: str) -> None:
    """The labels count if their column of the joined table is read."""
    text = f"y = df['t']\nX = df.drop(columns='t')\nr = {joined}\nX = X[r.abs().index[r > 0.3]]{_SPLIT}"
    assert _find(text)


@pytest.mark.parametrize("table", _WAYS_TO_TABULATE)
@pytest.mark.parametrize("weak", ["t[t['corr'] < 0.1].index", "t.index[t['corr'] < 0.1]", "t.index[t.corr < 0.1]"])
def test_choice_is_found_if_the_column_with_labels_is_read(table: str, weak: str) -> None:
    """Of a table with several values for each column, only those that are read decide."""
    text = f"y = df['t']\nX = df.drop(columns='t')\n{table}\nX = X.drop(columns={weak}){_SPLIT}"
    assert _find(text)


def _choose_by(record: str, way: str, field: str) -> str:
    """Return a script that chooses columns by a field of records, as ``way`` does."""
    return f"y = df.pop('t')\n{_RECORDS[record]}keep = {way.format(field)}\nX = df[keep]{_SPLIT}"


@pytest.mark.parametrize(
    ("record", "way"), [(each, way) for each, ways in _WAYS_TO_READ_RECORDS.items() for way in ways]
)
def test_choice_is_found_if_the_field_with_labels_is_read(record: str, way: str) -> None:
    """A correlation that is only computed, and perhaps printed, does not decide on the columns."""
    assert _find(_choose_by(record, way, "corr"))
    if "enumerate" not in way:
        assert not _find(_choose_by(record, way, "gaps"))


@pytest.mark.parametrize(
    ("record", "way"), [(each, way) for each, ways in _WAYS_TO_READ_UNKNOWN_FIELDS.items() for way in ways]
)
def test_choice_is_found_if_the_field_is_read_by_its_position(record: str, way: str) -> None:
    """If it is not known which field is read, all of them count."""
    assert _find(_choose_by(record, way, ""))


@pytest.mark.parametrize("name", _CHOSEN_BEFORE_FOLDS)
def test_choice_with_training_rows_is_found_before_folds_of_them(name: str) -> None:
    """The accuracy of the folds is the one that counts, and the columns were chosen with the labels of all folds."""
    use, folds, remedy = _CHOSEN_BEFORE_FOLDS[name]
    (finding,) = _find(_TRAINING_COLUMNS + use)
    assert (finding.kind, finding.line) == ("learned_before_folds", 5)
    assert finding.message.startswith(f"The columns are chosen using the labels of all rows that {folds} on line ")
    assert remedy in finding.remedy


@pytest.mark.parametrize("test", _TESTED_LATER)
@pytest.mark.parametrize("name", _CHOSEN_BEFORE_FOLDS)
def test_choice_with_training_rows_is_sound_before_a_test(name: str, test: str) -> None:
    """The accuracy on the test rows counts, which the choice does not depend on."""
    assert not _find(f"{_TRAINING_COLUMNS}{_CHOSEN_BEFORE_FOLDS[name][0]}\n{test}\n")


@pytest.mark.parametrize(
    "other",
    [
        "pd.Series(m.predict(X_test[:, best])).to_csv('submission.csv')",
        "if tests:\n    print(m.score(X_test[:, best], y_test))",
        "print(m.score(X_train[:, best], y_train))",
    ],
)
def test_choice_with_training_rows_is_found_without_a_certain_test(other: str) -> None:
    """Predictions that nothing is compared with, a test that may not run, and one on training rows do not help."""
    assert _find(f"{_TRAINING_COLUMNS}print(cross_val_score(m, X_train[:, best], y_train).mean())\n{other}\n")


@pytest.mark.parametrize("use", _USES_OF_PARTS)
def test_choice_is_found_when_it_is_used_after_the_split(use: str) -> None:
    """The columns are chosen with all labels, but taken only from the training rows and the test rows."""
    text = f"y = df['t']\nX = df.drop(columns='t')\nkeep = X.corrwith(y).abs().nlargest(30).index{_SPLIT}{use}\n"
    assert _find(text)


@pytest.mark.parametrize(
    ("use", "remedy"),
    [
        ("cross_val_score(m, X[:, best], y)", "make_pipeline(SelectKBest(…), model) to cross_val_score()"),
        ("for tr, te in KFold(5).split(X[:, best], y):\n    m.fit(X[tr], y[tr])", "separately in each fold"),
        ("a, b, c, d = train_test_split(X[:, best], y, random_state=0)", "Split first"),
        ("m.fit(X[:, best], y, validation_split=0.1)", "pass validation_data=(x_val, y_val) to fit()"),
        (
            "a, b, c, d = train_test_split(X[:, best], y, random_state=0)\nprint(cross_val_score(m, a, c).mean())",
            "make_pipeline(SelectKBest(…), model) to cross_val_score()",
        ),
        (
            "a, b, c, d = train_test_split(X[:, best], y, random_state=0)\ncross_val_score(m, a, c)\nm.fit(a, c).score(b, d)",
            "Split first",
        ),
    ],
)
def test_remedy_for_folds_is_to_choose_in_each_fold(use: str, remedy: str) -> None:
    """To split first and choose on the training rows would not do if the folds are parts of those rows."""
    text = f"best = np.argsort([mutual(X[:, j], y) for j in range(9)])[-5:]\n{use}\n"
    (finding,) = _find(text)
    assert remedy in finding.remedy


@pytest.mark.parametrize(
    "way",
    [
        "cols = top(X_train, y_train)",
        "cols = np.argsort([abs(np.corrcoef(X_train[:, j], y_train)[0, 1]) for j in range(9)])[-2:]",
        "cols = []\nfor j in range(9):\n    if abs(np.corrcoef(X_train[:, j], y_train)[0, 1]) > 0.1:\n        cols.append(j)",
    ],
)
def test_choice_for_an_experiment_is_sound_before_a_clean_split(way: str) -> None:
    """The accuracy that counts is that of other columns, which were chosen with training rows alone."""
    assert _find(_EXPERIMENT)
    assert not _find(f"{_EXPERIMENT}{_CLEAN_SPLIT}{way}\n{_TEST}")
    answers = "p = m.fit(X_train[:, cols], y_train).predict(X_test[:, cols])\nprint(accuracy_score(y_test, p))\n"
    assert not _find(f"{_EXPERIMENT}{_CLEAN_SPLIT}{way}\n{answers}")


@pytest.mark.parametrize(
    "way",
    [
        "",
        "cols = top(X, y)",
        "cols = top(X_test, y_test)",
        "cols = [j for j in cols if np.corrcoef(X_train[:, j], y_train)[0, 1] > 0.1]",
        "if flag:\n    cols = top(X_train, y_train)",
        "X_train, y_train = np.concatenate([X_train, X_test]), np.concatenate([y_train, y_test])\ncols = top(X_train, y_train)",
    ],
)
def test_choice_for_an_experiment_is_found_without_a_sound_choice(way: str) -> None:
    """The columns of the clean split were not certainly chosen with training rows alone."""
    assert _find(f"{_EXPERIMENT}{_CLEAN_SPLIT}{way}\n{_TEST}")


@pytest.mark.parametrize("name", _CHOSEN)
def test_choice_with_all_labels_is_found(name: str) -> None:
    """The finding names the line of the choice and that of the split."""
    text, line, place = _CHOSEN[name]
    (finding,) = _find(text)
    assert finding.line == line
    assert finding.message.startswith(f"The labels of all rows are used to choose the columns {place}, ")


@pytest.mark.parametrize("name", _SOUND)
def test_sound_choice_is_not_reported(name: str) -> None:
    """A choice is sound if it depends on no labels, or only on those of the training rows."""
    assert not _find(_SOUND[name])
