// What pages share in looks: theme, values as text, figures in the theme's colours, the strip, choices of twins.
(function () {
  "use strict";

  const gnomon = window.gnomon;
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: light)");

  // Theme: as the system, or chosen.
  const NEXT = { "": "light", light: "dark", dark: "" };
  const NAMES = { "": "as the system", light: "light", dark: "dark" };
  const SIGNS = { "": "◐", light: "☀", dark: "☾" };
  function themeChosen() { return root.dataset.theme || ""; }
  function labelTheme() {
    const button = document.getElementById("theme");
    if (!button) return;
    button.textContent = SIGNS[themeChosen()];
    button.title = `Theme: ${NAMES[themeChosen()]}`;
    button.setAttribute("aria-label", `Theme: ${NAMES[themeChosen()]}. Change it`);
  }
  document.addEventListener("click", event => {
    if (!event.target.closest || !event.target.closest("#theme")) return;
    const next = NEXT[themeChosen()];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    try { localStorage.setItem("gnomon-theme", next); } catch (error) { /* no storage */ }
    labelTheme();
    repaint();
  });
  system.addEventListener("change", () => repaint());

  gnomon.colour = name => getComputedStyle(root).getPropertyValue(`--${name}`).trim();

  // A prefix as people see it.
  gnomon.named = prefix => prefix || "(no prefix)";

  // Numbers as text.
  gnomon.number = (value, digits = 4) =>
    typeof value !== "number" || !Number.isFinite(value) ? "–" : value.toFixed(digits).replace(/^-/, "−");

  // Show a live value in an element: fresh, or marked as not of now. `format` makes the text of a value.
  gnomon.show = function (element, entry, format = value => String(value)) {
    if (!element) return;
    const fresh = Boolean(entry && entry.fresh);
    let text = "–", state = "none", why = "no such value";
    if (entry && entry.fresh) {
      text = format(entry.v) + (entry.u ? `\u202f${entry.u}` : "");
      state = (entry.s || 0) === 2 ? "major" : (entry.s || 0) === 1 ? "minor" : "fresh";
      why = entry.a || "";
    } else if (entry && (entry.s || 0) >= 3 && !entry.gone) {
      text = "INVALID"; state = "invalid"; why = entry.a || "INVALID";
    } else if (entry) {
      text = "no link"; state = "gone"; why = "disconnected";
    }
    if (element.textContent !== text) element.textContent = text;
    element.dataset.state = state;
    if (element.title !== why) element.title = why;
    return fresh;
  };

  // Forms of `page_parts.live_value`.
  const FORMS = {
    duration(seconds) {
      const whole = Math.floor(seconds), days = Math.floor(whole / 86400), hours = Math.floor(whole / 3600) % 24;
      const minutes = Math.floor(whole / 60) % 60;
      if (days) return `${days} d ${hours} h`;
      return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
    },
    list: texts => (texts.length ? texts.join("; ") : "none"),
  };
  function formed(form, value) {
    if (FORMS[form]) return FORMS[form](value);
    if (typeof value === "number") return form === "" ? String(value) : gnomon.number(value, Number(form) || 0);
    return Array.isArray(value) ? FORMS.list(value) : String(value ?? "") || "–";
  }
  // Fill in the places that `page_parts.live_value` has made.
  gnomon.listen((live, page) => {
    if (!page) return;
    const role = live.get("machine.role");
    for (const element of page.querySelectorAll(".only-shadow")) element.hidden = !(role && role.v === "shadow");
    for (const element of page.querySelectorAll("[data-live]")) {
      const entry = live.get(element.dataset.live), form = element.dataset.form || "";
      gnomon.show(element, entry && form === "duration" ? { ...entry, u: "" } : entry, value => formed(form, value));
      element.classList.toggle("long", element.textContent.length > 18);
    }
  });

  // Figures.
  const drawn = new Map(); // name -> last arguments
  function layoutOf(layout, fresh, why) {
    const ink = gnomon.colour("ink"), faint = gnomon.colour("faint"), grid = gnomon.colour("grid");
    const axis = given => ({
      color: faint, gridcolor: grid, zerolinecolor: gnomon.colour("zero"), linecolor: grid, tickfont: { size: 12 },
      title: { standoff: 6, font: { size: 13, color: ink } }, automargin: false, fixedrange: false, ...given,
      ...(typeof given.title === "string" ? { title: { text: given.title, standoff: 6, font: { size: 13, color: ink } } } : {}),
    });
    const made = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", uirevision: "same", autosize: true,
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink }, margin: { l: 62, r: 14, t: 10, b: 42 }, showlegend: false,
      hovermode: "closest", dragmode: "zoom", annotations: [], shapes: [], ...layout,
      hoverlabel: { bgcolor: gnomon.colour("raised"), bordercolor: grid, font: { color: ink, size: 13 } },
      legend: {
        orientation: "h", x: 1, xanchor: "right", y: 1.0, yanchor: "bottom", font: { color: ink, size: 12 },
        bgcolor: "rgba(0,0,0,0)", ...(layout.legend || {}),
      },
    };
    for (const key of Object.keys(made)) if (/^[xy]axis\d*$/.test(key)) made[key] = axis(made[key]);
    if (!fresh) {
      made.annotations = [...made.annotations, {
        xref: "paper", yref: "paper", x: 0.5, y: 0.5, showarrow: false, text: why, borderpad: 6,
        font: { size: 15, color: gnomon.colour("bad") }, bgcolor: gnomon.colour("raised"), bordercolor: gnomon.colour("bad"),
      }];
    }
    return made;
  }

  function paint(name) {
    const place = document.getElementById(`figure-${name}`);
    const graph = place && place.querySelector(".js-plotly-plot");
    if (!graph || !window.Plotly) return false;
    const { traces, layout, fresh, why } = drawn.get(name);
    place.closest(".figure").dataset.fresh = String(fresh);
    const made = typeof traces === "function" ? traces() : traces;
    window.Plotly.react(graph, made, layoutOf(typeof layout === "function" ? layout() : layout, fresh, why), {
      displaylogo: false, displayModeBar: false, responsive: true, doubleClick: "reset",
    });
    return true;
  }

  // Draw a figure of the page: traces and layout of Plotly, or functions that make them (called again for a new theme).
  // What is not fresh is greyed, and labelled with the reason.
  gnomon.draw = function (name, traces, layout, fresh = true, why = "not of now") {
    drawn.set(name, { traces, layout, fresh, why });
    if (!paint(name)) setTimeout(() => paint(name), 100);
  };

  function repaint() {
    for (const name of drawn.keys()) paint(name);
    gnomon.redraw();
  }

  // The figures are there when Dash has made them, which may be later than the values.
  new MutationObserver(changes => {
    for (const change of changes) {
      const graph = change.target.closest && change.target.closest('[id^="figure-"]');
      if (graph && change.target.classList.contains("js-plotly-plot") && change.attributeName === "class") {
        const name = graph.id.replace("figure-", "");
        if (drawn.has(name) && !graph.dataset.painted) { graph.dataset.painted = "1"; paint(name); }
      }
    }
  }).observe(root, { subtree: true, attributes: true, attributeFilter: ["class"] });

  // A choice of twins as a native list.
  gnomon.choice = function (place, which, none) {
    if (!place) return;
    const live = gnomon.live;
    const value = which === "beside" ? live.beside : live.prefix;
    const others = live.servers.filter(([prefix]) => which !== "beside" || prefix !== live.prefix).map(each => each.slice(0, 2));
    const shown = [...(none ? [[null, none]] : []), ...others];
    if (value !== null && !others.some(([prefix]) => prefix === value)) shown.push([value, `${gnomon.named(value)}, gone`]);
    if (!shown.length) shown.push([null, "none runs here"]);
    const wanted = JSON.stringify([shown, value]);
    if (place.dataset.shown === wanted) return;
    place.dataset.shown = wanted;
    const select = document.createElement("select");
    select.setAttribute("aria-label", which === "beside" ? "Twin or machine beside" : "Twin");
    shown.forEach(([prefix, label], i) => select.add(new Option(label, String(i), false, prefix === value)));
    select.addEventListener("change", () => live.choose(which, shown[Number(select.value)][0]));
    const focused = place.contains(document.activeElement);
    place.replaceChildren(select);
    if (focused) select.focus();
  };

  // The strip.
  const LINK = { live: "live", looking: "looking for the server", lost: "server gone", hangs: "server hangs",
    unknown: "no such server", late: "no connection" };
  gnomon.listen(live => {
    labelTheme();
    gnomon.choice(document.getElementById("prefix-choice"), "base");
    const link = document.getElementById("link");
    if (!link) return;
    const state = live.state();
    link.dataset.state = state.state;
    link.title = state.why;
    const role = live.get("machine.role");
    const text = state.state === "live" ? `live${role && role.fresh ? `, ${role.v}` : ""}` : LINK[state.state] || state.state;
    const told = document.getElementById("link-text");
    if (told.textContent !== text) told.textContent = text;
    document.getElementById("shell").dataset.fresh = String(state.fresh);

    const beam = live.get("beam.found"), active = live.get("control.active"), reason = live.get("beam.reason");
    const cell = document.getElementById("strip-beam");
    if (beam && beam.fresh && active && active.i === 0) mark(cell, "paused", "minor", "the model is paused");
    else if (beam && beam.fresh) mark(cell, beam.i === 1 ? "found" : "no beam", beam.i === 1 ? "fresh" : "major", reason ? String(reason.v ?? "") : "");
    else gnomon.show(cell, beam);
    for (const plane of ["x", "y"]) {
      const tune = live.get(`tune.${plane}`) || live.get(`tune.fraction.${plane}`);
      gnomon.show(document.getElementById(`strip-tune-${plane}`), tune, value => gnomon.number(value, 5));
    }
    gnomon.show(document.getElementById("strip-current"), live.get("beam.current"), value => gnomon.number(value, 1));
    const faults = live.get("faults.count");
    gnomon.show(document.getElementById("strip-faults"), faults, value => (value ? `${value} injected` : "none"));
    const attention = document.getElementById("attention"), noticed = live.get("attention");
    const notices = !state.fresh ? [state.why] : noticed ? noticed.v : [];
    const words = notices.filter(Boolean).join("; ");
    if (attention.textContent !== words) attention.textContent = words;
    attention.title = words;
    if (faults && faults.fresh && faults.v > 0) document.getElementById("strip-faults").dataset.state = "minor";
  });
  function mark(element, text, state, why) {
    if (element.textContent !== text) element.textContent = text;
    element.dataset.state = state;
    element.title = why;
  }
})();
