"""Vectors of texts that forget, under the names of :mod:`sklearn.feature_extraction.text`."""

from skunlearn.feature_extraction._count_vectorizer import CountVectorizer
from skunlearn.feature_extraction._tfidf_transformer import TfidfTransformer
from skunlearn.feature_extraction._tfidf_vectorizer import TfidfVectorizer

__all__ = ["CountVectorizer", "TfidfTransformer", "TfidfVectorizer"]
