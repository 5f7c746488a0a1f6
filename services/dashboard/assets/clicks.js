// Buttons of lists: what was clicked goes to the store that the button names.
(function () {
  "use strict";

  let count = 0;
  document.addEventListener("click", event => {
    const button = event.target.closest && event.target.closest("button[data-click]");
    if (!button || button.disabled) return;
    window.dash_clientside.set_props(button.dataset.click, { data: { value: button.dataset.value, count: ++count } });
  });
})();

// A question takes the focus to the answer that changes nothing, which Escape gives, too.
(function () {
  "use strict";

  const harmless = question => question.querySelector('button[data-value="no"]');
  new MutationObserver(changes => {
    for (const change of changes) {
      const question = change.target.closest && change.target.closest(".question[open]");
      const button = question && !question.contains(document.activeElement) && harmless(question);
      if (button) button.focus();
    }
  }).observe(document.documentElement, { subtree: true, childList: true, attributes: true, attributeFilter: ["open"] });
  document.addEventListener("keydown", event => {
    const question = event.key === "Escape" && document.querySelector(".question[open]");
    const button = question && harmless(question);
    if (button) button.click();
  });
})();
