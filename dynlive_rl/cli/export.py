from .common import *


def add_parser(commands):
    pass
