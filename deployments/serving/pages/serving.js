"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const percent = (value) => (100 * value).toFixed(1);
  const bars = new Map([...document.querySelectorAll(".score")].map((bar) => [bar.dataset.label, bar]));
  let asked = 0;

  const name = (element, label) => {
    element.textContent = label;
    element.style.setProperty("--colour", bars.get(label).style.getPropertyValue("--colour"));
  };

  const complain = (message) => {
    at("problem").textContent = message;
    at("problem").hidden = !message;
    if (message) at("answer").hidden = true;
  };

  const cell = (className, text) => {
    const made = document.createElement("td");
    made.className = className;
    made.textContent = text;
    return made;
  };

  const remember = (text, answer) => {
    const row = document.createElement("tr");
    const label = document.createElement("span");
    label.className = "label";
    name(label, answer.label);
    const holder = document.createElement("td");
    holder.append(label);
    const short = text.length > 160 ? text.slice(0, 157) + "..." : text;
    const confidence = cell("number", percent(answer.confidence) + " %");
    row.append(cell("text", short), holder, confidence, cell("number quiet", "v" + answer.model_version));
    at("recent").prepend(row);
    while (at("recent").rows.length > 8) at("recent").lastElementChild.remove();
    at("none").hidden = true;
  };

  const show = (text, answer, milliseconds) => {
    name(at("label"), answer.label);
    at("confidence").textContent = percent(answer.confidence);
    at("version").textContent = answer.model_version;
    at("took").textContent = " · " + Math.round(milliseconds) + " ms";
    for (const [label, score] of Object.entries(answer.scores)) {
      bars.get(label).querySelector(".bar").style.width = 100 * score + "%";
      bars.get(label).querySelector("output").textContent = score.toFixed(3);
    }
    at("truncated").hidden = !answer.truncated;
    at("answer").hidden = false;
    remember(text, answer);
  };

  const ask = async () => {
    const text = at("text").value, turn = ++asked, began = performance.now();
    try {
      const headers = { "Content-Type": "application/json" };
      const response = await fetch("/predict", { method: "POST", headers, body: JSON.stringify({ text }) });
      const body = await response.json();
      if (turn !== asked) return; // a later question was sent meanwhile
      complain(response.ok ? "" : body.detail);
      if (response.ok) show(text, body, performance.now() - began);
    } catch (error) {
      complain("The service does not answer: " + error.message);
    }
  };

  at("form").addEventListener("submit", (event) => { event.preventDefault(); ask(); });
  at("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); at("form").requestSubmit(); }
  });
  at("examples").addEventListener("click", (event) => {
    if (event.target.dataset.example) { at("text").value = event.target.dataset.example; at("form").requestSubmit(); }
  });
})();
