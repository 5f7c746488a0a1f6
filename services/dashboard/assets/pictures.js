// Pictures of results: their colours are names of roles, which the theme's colours replace.
(function () {
  "use strict";

  const root = document.documentElement;

  function painted(value, colours) {
    if (typeof value === "string") {
      const name = value.startsWith("var(--") ? value.slice(4, -1) : "";
      return name ? colours.getPropertyValue(name).trim() : value;
    }
    if (Array.isArray(value)) {
      const plain = value.length && typeof value[0] === "number" && typeof value[value.length - 1] !== "string";
      return plain ? value : value.map(each => painted(each, colours));
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, painted(each, colours)]));
    }
    return value;
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.gnomon = Object.assign(window.dash_clientside.gnomon || {}, {
    paint(figure) {
      return figure ? painted(figure, getComputedStyle(root)) : window.dash_clientside.no_update;
    },
  });

  let changes = 0;
  function repaint() {
    if (document.querySelector(".pictures")) window.dash_clientside.set_props("picture-theme", { data: ++changes });
  }
  new MutationObserver(repaint).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", repaint);
})();
