"""What an annotator sees: the text, three buttons with keys 1 to 3, and what each of them means."""

FROM_NAME = "sentiment"
CONTROL = {"from_name": FROM_NAME, "to_name": "text", "type": "choices"}
"""How answers and predictions say which buttons and which text they belong to."""

LABEL_CONFIG = """<View>
  <Style>.finloop-text { font-size: 1.25em; line-height: 1.5; padding: 1em 0 }</Style>
  <Header value="What does this mean for the price of the company, share or market that it is about?" size="5"/>
  <View className="finloop-text"><Text name="text" value="$text" selectionEnabled="false"/></View>
  <Text name="source" value="From: $feed" selectionEnabled="false"/>
  <Choices name="sentiment" toName="text" choice="single" showInline="true" required="true"
           requiredMessage="Choose one, or skip.">
    <Choice value="positive" hotkey="1"/>
    <Choice value="neutral" hotkey="2"/>
    <Choice value="negative" hotkey="3"/>
  </Choices>
</View>"""

INSTRUCTIONS = """<h3>How would an investor read this?</h3>
<p>Judge only what the text says, not what you know of the company or what happened later.</p>
<ul>
<li><b>positive</b> (key 1): good for the price. <i>"Operating profit rose to EUR 13.1 mn from EUR 8.7 mn."</i>
A loss that narrows is positive too.</li>
<li><b>neutral</b> (key 2): no direction, or facts without news for the price.
<i>"The company will publish its report on 24 July."</i></li>
<li><b>negative</b> (key 3): bad for the price. <i>"Net sales fell by a tenth, and the outlook was cut."</i></li>
</ul>
<p>Good and bad news in one text: choose what weighs more; if neither does, choose neutral.
<b>Skip</b> a text that is not about finance, not in a language that you read, or cut off.</p>
<p>A choice may be made already: it is the model's answer, it is often wrong, and these texts are those it is least
sure of. Submit with Ctrl+Enter.</p>"""
