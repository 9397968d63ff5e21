"""Analysis: tables, estimators, tests, figures and documents."""
