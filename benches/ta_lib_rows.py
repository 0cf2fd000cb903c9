"""What TA-Lib's C library takes for the five indicators that `indicators.rs` measures, over the same candles.

Reads highs, lows and closes from standard input, as little-endian doubles one column behind the other. Prints a
line a function: its name, and the least and the median nanoseconds a row; `together` is one after the other in one pass. Needs
the packages TA-Lib and numpy.
"""

import statistics
import sys
import time

import numpy
import talib

PASSES = 11

high, low, close = numpy.frombuffer(sys.stdin.buffer.read(), dtype="<f8").reshape(3, -1).copy()
functions = {
    "rsi": lambda: talib.RSI(close, 14),
    "ema": lambda: talib.EMA(close, 20),
    "macd": lambda: talib.MACD(close, 12, 26, 9),
    "bbands": lambda: talib.BBANDS(close, 20, 2.0, 2.0),
    "atr": lambda: talib.ATR(high, low, close, 14),
}
functions["together"] = lambda parts=tuple(functions.values()): [part() for part in parts]
for name, function in functions.items():
    times = []
    for _ in range(PASSES):
        start = time.perf_counter_ns()
        function()
        times.append(time.perf_counter_ns() - start)
    print(name, min(times) / len(close), statistics.median(times) / len(close))
