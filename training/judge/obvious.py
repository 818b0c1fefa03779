"""Ten cases that no usable model gets wrong; a failure means that labels are swapped or nothing was learnt.

Plain company news, since a first champion has seen nothing else; no case turns on irony, jargon or a single number.
"""

from storage.records import Sentiment

OBVIOUS: tuple[tuple[str, Sentiment], ...] = (
    ("Operating profit rose sharply and the company raised its forecast for the full year.", Sentiment.POSITIVE),
    ("Net sales increased by 20 % from the previous year and profit doubled.", Sentiment.POSITIVE),
    ("The company's quarterly profit grew strongly and beat expectations.", Sentiment.POSITIVE),
    ("Net profit climbed to a record EUR 25 million, up from EUR 12 million a year earlier.", Sentiment.POSITIVE),
    ("Operating profit fell sharply and the company cut its forecast for the full year.", Sentiment.NEGATIVE),
    ("Net sales decreased by 20 % from the previous year and profit halved.", Sentiment.NEGATIVE),
    ("The company made a heavy loss as sales dropped, and it will lay off 200 employees.", Sentiment.NEGATIVE),
    ("The annual general meeting will be held in Helsinki on 12 April.", Sentiment.NEUTRAL),
    ("The company is headquartered in Stockholm and has offices in five countries.", Sentiment.NEUTRAL),
    ("The financial value of the contract was not disclosed.", Sentiment.NEUTRAL),
)
"""(text, label): four positive, three negative, three neutral."""
