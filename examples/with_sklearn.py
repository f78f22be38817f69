"""In scikit-learn: a classifier like any other, in a pipeline, with cross-validation and a search."""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dynlive_rl import DynLiveClassifier

X, y = load_breast_cancer(return_X_y=True)
pipeline = make_pipeline(StandardScaler(), DynLiveClassifier(hidden=(32,), epochs=30, random_state=0))
scores = cross_val_score(pipeline, X, y, cv=5)
print(f"accuracy {scores.mean():.3f} ± {scores.std():.3f}")

search = GridSearchCV(pipeline, {"dynliveclassifier__constraint": ["simplex", "free"]}, cv=3).fit(X, y)
print(f"better of the two: {search.best_params_['dynliveclassifier__constraint']}, {search.best_score_:.3f}")
