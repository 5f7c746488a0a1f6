// The chosen theme, set before anything is drawn.
(function () {
  "use strict";
  var chosen = null;
  try { chosen = localStorage.getItem("gnomon-theme"); } catch (error) { chosen = null; }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
