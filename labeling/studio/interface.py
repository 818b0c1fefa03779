"""What an annotator sees: the question, the text, a button with a key for each label, and what each of them means."""

from xml.sax.saxutils import quoteattr

from storage.scheme import DEFAULT, find_scheme

FROM_NAME = "sentiment"
CONTROL = {"from_name": FROM_NAME, "to_name": "text", "type": "choices"}
"""How answers and predictions say which buttons and which text they belong to."""

_SCHEME = find_scheme(DEFAULT)
_CHOICES = "\n    ".join(
    f"<Choice value={quoteattr(label.name)} hotkey={quoteattr(label.hotkey or '')}/>" for label in _SCHEME.labels
)

LABEL_CONFIG = f"""<View>
  <Style>.finloop-text {{ font-size: 1.25em; line-height: 1.5; padding: 1em 0 }}</Style>
  <Header value={quoteattr(_SCHEME.question)} size="5"/>
  <View className="finloop-text"><Text name="text" value="$text" selectionEnabled="false"/></View>
  <Text name="source" value="From: $feed" selectionEnabled="false"/>
  <Choices name="sentiment" toName="text" choice="single" showInline="true" required="true"
           requiredMessage="Choose one, or skip.">
    {_CHOICES}
  </Choices>
</View>"""

INSTRUCTIONS = _SCHEME.instructions
