// Orbit and optics: the twin, what stands beside it, and the residuals.
(function () {
  "use strict";

  const gnomon = window.gnomon;
  const PLANES = ["x", "y"];
  let seen = {};

  const array = entry => (entry && entry.v && entry.v.length !== undefined && typeof entry.v !== "string" ? entry.v : null);
  // A factor that turns the unit of a PV into the one that is shown.
  const FACTORS = { "mm>mm": 1, "m>mm": 1e3, "um>mm": 1e-3, "µm>mm": 1e-3, "nm>mm": 1e-6, "m>m": 1, "mm>m": 1e-3 };
  function scaled(entry, unit) {
    const values = array(entry);
    if (!values) return null;
    const factor = FACTORS[`${entry.u || unit}>${unit}`] ?? 1;
    return factor === 1 ? values : Array.from(values, value => value * factor);
  }
  const sameLength = (one, other) => one && other && one.length === other.length;

  function why(live, entries, which) {
    const state = live.state(which);
    if (!state.fresh) return state.state === "looking" ? "looking for the server" : state.why || "no connection";
    if (entries.some(entry => !entry)) return "not served here";
    const bad = entries.find(entry => !entry.fresh);
    if (!bad) return "";
    return bad.gone ? "disconnected" : `INVALID${bad.a ? `: ${bad.a}` : ""}`;
  }

  // What stands beside the orbit: {name, problem, readings}. For a shadow it is the machine that it follows, as far as
  // the machine's readings are fresh, unless a twin was chosen; null where there is nothing.
  function besideOrbit(live, plane, mine) {
    if (live.beside !== null) {
      const entry = live.get(`orbit.difference.${plane}`, "beside");
      const problem = why(live, [entry], "beside");
      return { name: gnomon.named(live.beside), problem, readings: problem ? null : scaled(entry, "mm") };
    }
    const role = live.get("machine.role"), residual = live.get(`residual.${plane}`), fresh = array(live.get("residual.fresh"));
    if (!role || role.v !== "shadow" || !residual) return null;
    const problem = why(live, [residual]), values = scaled(residual, "mm");
    if (problem || !sameLength(values, mine)) return { name: "machine", problem: problem || "no readings of the machine", readings: null };
    const readings = Array.from(values, (value, i) => (fresh && !fresh[i] ? NaN : mine[i] + value));
    return { name: "machine", problem: "", readings };
  }

  // Bounds of the machine's next readings, less the reference orbit as the readings are: [lower, upper]; null where
  // the server has none that can be relied on.
  function band(live, plane, mine) {
    if (live.beside !== null) return null;
    const entries = ["bound.lower", "bound.upper", "reference"].map(name => live.get(`${name}.${plane}`));
    if (why(live, entries)) return null;
    const [lower, upper, reference] = entries.map(entry => scaled(entry, "mm"));
    if (![lower, upper, reference].every(values => sameLength(values, mine))) return null;
    return [lower, upper].map(values => Array.from(values, (value, i) => value - reference[i]));
  }

  function orbitFigure(live, plane) {
    const keys = [`orbit.difference.${plane}`, "monitor.s", "monitor.names", `residual.${plane}`, "residual.fresh", "machine.role",
      `bound.lower.${plane}`, `bound.upper.${plane}`, `reference.${plane}`];
    const version = live.version(keys) + (live.beside !== null ? live.version(keys, "beside") : "") + live.beside;
    if (seen[`orbit-${plane}`] === version) return;
    seen[`orbit-${plane}`] = version;
    const difference = live.get(keys[0]), positions = live.get(keys[1]);
    const problem = why(live, [difference, positions]);
    const s = scaled(positions, "m"), y = scaled(difference, "mm"), names = array(live.get(keys[2]));
    const beside = besideOrbit(live, plane, y), compared = beside !== null;
    const other = compared ? beside.readings : null, bounds = compared ? band(live, plane, y) : null;
    const traces = () => {
      const made = [];
      if (s && bounds) bounds.forEach((values, i) => made.push({
        x: s, y: values, text: names, name: "bounds", showlegend: i === 1, mode: "lines",
        line: { color: gnomon.colour("third"), width: 1 }, hovertemplate: `${i ? "upper" : "lower"} bound %{text}<br>%{y:.4f} mm<extra></extra>`,
        ...(i ? { fill: "tonexty", fillcolor: `${gnomon.colour("third")}40` } : {}),
      }));
      if (s && y) made.push({
        x: s, y, text: names, name: gnomon.named(live.prefix), mode: "lines+markers", line: { color: gnomon.colour(plane), width: 1.5 },
        marker: { color: gnomon.colour(plane), size: 5 }, hovertemplate: "%{text}<br>s = %{x:.3f} m<br>%{y:.4f} mm<extra></extra>",
      });
      if (s && sameLength(other, s)) {
        made.push({
          x: s, y: other, text: names, name: beside.name, mode: "markers",
          marker: { color: gnomon.colour("beside"), size: 8, symbol: "circle-open", line: { width: 1.5 } },
          hovertemplate: `${beside.name} %{text}<br>s = %{x:.3f} m<br>%{y:.4f} mm<extra></extra>`,
        });
        made.push({
          x: s, y: Array.from(other, (value, i) => value - y[i]), text: names, name: `${beside.name} less ${gnomon.named(live.prefix)}`,
          type: "bar", yaxis: "y2", marker: { color: gnomon.colour("residual") },
          hovertemplate: "%{text}<br>residual %{y:.4f} mm<extra></extra>",
        });
      }
      return made;
    };
    const layout = () => ({
      xaxis: { title: "s [m]", anchor: compared ? "y2" : "y", range: s && s.length ? [0, Math.ceil(s[s.length - 1])] : undefined },
      yaxis: { title: `${plane} [mm]`, domain: compared ? [0.42, 1] : [0, 1], rangemode: "tozero" },
      ...(compared ? { yaxis2: { title: "residual [mm]", domain: [0, 0.3], nticks: 4 } } : {}),
      showlegend: compared, margin: { l: 62, r: 14, t: compared ? 28 : 10, b: 42 },
    });
    const besideProblem = compared ? beside.problem : "";
    gnomon.draw(`orbit-${plane}`, traces, layout, !problem && !besideProblem, problem || (compared ? `${beside.name}: ${besideProblem}` : ""));
  }

  function opticsFigure(live, name, quantity, label) {
    const keys = [...PLANES.map(plane => `${quantity}.${plane}`), "element.positions", "element.names"];
    const version = live.version(keys) + (live.beside !== null ? live.version(keys, "beside") : "") + live.beside;
    if (seen[name] === version) return;
    seen[name] = version;
    const entries = PLANES.map(plane => live.get(`${quantity}.${plane}`)), positions = live.get("element.positions");
    const problem = why(live, [...entries, positions]);
    const s = scaled(positions, "m"), names = array(live.get("element.names"));
    const values = entries.map(entry => scaled(entry, "m"));
    const besideEntries = live.beside !== null ? PLANES.map(plane => live.get(`${quantity}.${plane}`, "beside")) : [];
    const besideProblem = live.beside !== null ? why(live, besideEntries, "beside") : "";
    const others = besideProblem ? [] : besideEntries.map(entry => scaled(entry, "m"));
    const relative = quantity === "twiss.beta";
    const traces = () => PLANES.flatMap((plane, i) => {
      const made = [];
      if (s && values[i]) made.push({
        x: s, y: values[i], text: names, name: others.length ? `${plane}, ${gnomon.named(live.prefix)}` : plane, mode: "lines",
        line: { color: gnomon.colour(plane), width: 1.5, dash: plane === "y" ? "solid" : "solid" },
        hovertemplate: `%{text}<br>s = %{x:.3f} m<br>${plane}: %{y:.4f} m<extra></extra>`,
      });
      if (s && values[i] && sameLength(others[i], s)) {
        made.push({
          x: s, y: others[i], name: `${plane}, ${gnomon.named(live.beside)}`, mode: "lines", hoverinfo: "skip",
          line: { color: gnomon.colour(plane), width: 2, dash: "dot" },
        });
        made.push({
          x: s, y: Array.from(others[i], (value, k) => relative ? 100 * (value / values[i][k] - 1) : value - values[i][k]),
          name: `residual ${plane}`, showlegend: false, mode: "lines", yaxis: "y2", line: { color: gnomon.colour(plane), width: 1 },
          hovertemplate: `s = %{x:.3f} m<br>residual ${plane}: %{y:.3f}<extra></extra>`,
        });
      }
      return made;
    });
    const compared = live.beside !== null;
    const layout = () => ({
      xaxis: { title: "s [m]", anchor: compared ? "y2" : "y", range: s && s.length ? [0, Math.ceil(s[s.length - 1])] : undefined },
      yaxis: { title: `${label} [m]`, domain: compared ? [0.42, 1] : [0, 1], rangemode: "tozero" },
      ...(compared ? { yaxis2: { title: relative ? "beating [%]" : "residual [m]", domain: [0, 0.3], nticks: 4 } } : {}),
      showlegend: true, margin: { l: 62, r: 14, t: 28, b: 42 },
    });
    gnomon.draw(name, traces, layout, !problem && !besideProblem, problem || `${gnomon.named(live.beside)}: ${besideProblem}`);
  }

  function numbers(live, root) {
    const place = root.querySelector("#orbit-numbers");
    if (!place) return;
    const wanted = [];
    for (const which of live.beside !== null ? ["base", "beside"] : ["base"]) {
      for (const plane of PLANES) wanted.push([which, plane]);
    }
    const shape = wanted.join(";") + live.prefix + live.beside;
    if (place.dataset.shape !== shape) {
      place.dataset.shape = shape;
      place.replaceChildren(...wanted.map(([which, plane]) => {
        const item = document.createElement("div");
        item.className = "number";
        item.innerHTML = '<span class="name"></span><span class="value"></span><span class="more"></span>';
        item.querySelector(".name").textContent = `rms ${plane}${live.beside !== null ? `, ${gnomon.named(which === "base" ? live.prefix : live.beside)}` : ""}`;
        item.querySelector(".value").id = `rms-${plane}-${which}`;
        item.style.setProperty("--mark", `var(--${which === "beside" ? "beside" : plane})`);
        return item;
      }));
    }
    for (const [which, plane] of wanted) {
      const value = place.querySelector(`#rms-${plane}-${which}`);
      gnomon.show(value, live.get(`orbit.difference.rms.${plane}`, which), each => gnomon.number(each, 4));
      const largest = live.get(`orbit.difference.largest.${plane}`, which), where = live.get(`orbit.difference.where.${plane}`, which);
      const text = largest && largest.fresh && Math.abs(largest.v) > 5e-6
        ? `max ${gnomon.number(largest.v, 3)}${where && where.fresh ? ` at ${where.v}` : ""}` : "";
      value.nextElementSibling.textContent = text;
    }
  }

  gnomon.page("orbit", {
    beside: true,
    start() { seen = {}; },
    frame(live, root) {
      gnomon.choice(root.querySelector("#beside-choice"), "beside", "nothing else");
      const role = live.get("machine.role");
      root.classList.toggle("compared", live.beside !== null || Boolean(role && role.v === "shadow"));
      numbers(live, root);
      for (const plane of PLANES) orbitFigure(live, plane);
      opticsFigure(live, "beta", "twiss.beta", "beta");
      opticsFigure(live, "dispersion", "dispersion", "dispersion");
    },
  });
})();
