"""Converting data sets from their own layouts on disk to scene folders."""

from scenebrush.data.convert.converting import ConvertReport, convert
from scenebrush.data.convert.formats import FORMATS, recognise
from scenebrush.data.convert.protocol import BadSource, DataSet, Settings

__all__ = ["FORMATS", "BadSource", "ConvertReport", "DataSet", "Settings", "convert", "recognise"]
