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
