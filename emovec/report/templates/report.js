"use strict";
// Draws figures when they come into view, switches them, sorts tables and plays clips.
(() => {
  const page = JSON.parse(document.getElementById("page-data").textContent);
  const root = document.documentElement;
  const scales = {
    light: {
      "@sequential": [[0, "#f7fafd"], [1, "#86b6e6"]], // @ink is read on all of them
      "@diverging": [[0, "#86b6e6"], [0.5, "#f7f7f7"], [1, "#f0a39a"]],
    },
    dark: {
      "@sequential": [[0, "#1f2937"], [1, "#2f66a3"]],
      "@diverging": [[0, "#2f66a3"], [0.5, "#262e3b"], [1, "#97423b"]],
    },
  };
  const PAPER = 660; // pixels: A4 between margins and the frame of a section
  const TALLEST = 900; // of what one sheet takes
  const drawn = new Map(); // figure -> whether for paper
  let printing = false;

  function colours() {
    const style = getComputedStyle(root);
    const dark = style.getPropertyValue("--dark").trim() === "1";
    const named = { ...scales[dark ? "dark" : "light"] };
    for (const name of ["ink", "faint", "panel", "outline", "blue"]) {
      named["@" + name] = style.getPropertyValue("--" + name).trim();
    }
    return named;
  }

  // Replaces names of colours; texts of clips are left as they are
  function resolved(value, named, key) {
    if (typeof value === "string") {
      return /color/i.test(key) && value in named ? named[value] : value;
    }
    if (Array.isArray(value)) {
      return value.map((part) => (part !== null && typeof part === "object" ? resolved(part, named, key) : part));
    }
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, resolved(part, named, name)]));
    }
    return value;
  }

  function put(layout, path, value) {
    const keys = path.split(".");
    const last = keys.pop();
    let place = layout;
    for (const key of keys) place = place[key] = place[key] ?? {};
    place[last] = value;
  }

  function chosen(figure, drawing) {
    return drawing.switches.map((one, place) => {
      const input = figure.querySelector(`input[name="${figure.id}-${place}"]:checked`);
      return one.options[Number(input.value)];
    });
  }

  function draw(figure) {
    const drawing = page.charts[figure.id];
    const plot = figure.querySelector(".plot");
    const image = figure.querySelector(".picture");
    const inWebGL = drawing.data.some((trace) => /gl$|3d$/.test(trace.type));
    if (inWebGL && !hasWebGL()) {
      if (!image) plot.textContent = "This figure needs WebGL, which this browser does not offer.";
      return;
    }
    const named = colours();
    const data = resolved(drawing.data, named, "");
    const width = printing ? PAPER : figure.clientWidth;
    const narrow = width < 560;
    const layout = {
      margin: { l: 50, r: 10, t: hasTitle(drawing) ? 40 : 16, b: 45 },
      hoverlabel: { align: "left", font: { size: 13 } },
      dragmode: narrow ? false : "zoom",
      ...resolved(drawing.layout, named, ""),
      font: { color: named["@ink"], size: narrow ? 11 : 13, family: getComputedStyle(document.body).fontFamily },
      paper_bgcolor: named["@panel"],
      plot_bgcolor: named["@panel"],
    };
    if (layout.scene) {
      layout.dragmode = "turntable";
      if (narrow) for (const end of Object.keys(layout.scene.camera.eye)) layout.scene.camera.eye[end] *= 1.5;
    }
    if (layout.scene || layout.yaxis?.scaleanchor) layout.height = Math.min(layout.height, width + 110);
    else if (drawing.data.some((trace) => trace.type === "heatmap")) layout.height = Math.min(layout.height, 1.5 * width + 110);
    if (printing) Object.assign(layout, { width, height: Math.min(0.8 * layout.height, TALLEST) });
    for (const [name, axis] of Object.entries(layout)) {
      if (/^[xy]axis/.test(name) && axis.title) axis.title.standoff ??= 10; // else titles lie on labels
    }
    for (const option of chosen(figure, drawing)) {
      option.visible.forEach((shown, place) => { if (!shown) data[place].visible = false; });
      for (const [path, value] of Object.entries(option.layout)) put(layout, path, value);
    }
    for (const trace of data) {
      if (narrow && trace.colorbar) trace.showscale = false;
      if (narrow && trace.type === "scatter3d" && trace.marker) trace.marker.size *= 0.75;
    }
    const camera = plot._fullLayout?.scene?._scene?.getCamera?.();
    if (camera && layout.scene) layout.scene.camera = camera;
    if (drawn.has(figure) && drawn.get(figure) !== printing) {
      Plotly.purge(plot); // it would keep its width, and a scene be redrawn with the next frame: too late
      drawn.delete(figure);
    }
    figure.querySelector(".switches").hidden = drawing.switches.length === 0;
    plot.hidden = false;
    if (image) image.hidden = true;
    if (!drawn.has(figure)) plot.textContent = "";
    Plotly.react(plot, data, layout, { responsive: true, displaylogo: false, displayModeBar: narrow ? false : "hover" });
    if (!drawn.has(figure)) plot.on("plotly_click", (event) => play(event.points[0].customdata));
    drawn.set(figure, printing);
  }

  function hasTitle(drawing) {
    return drawing.switches.some((one) => one.options.some((option) => "title.text" in option.layout));
  }

  let webGL = null;
  function hasWebGL() {
    if (webGL === null) webGL = Boolean(document.createElement("canvas").getContext("webgl"));
    return webGL;
  }

  const figures = [...document.querySelectorAll("figure.interactive")];
  if (typeof Plotly !== "undefined") {
    const watcher = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) {
          watcher.unobserve(entry.target);
          draw(entry.target);
        }
      }
    }, { rootMargin: "300px" });
    for (const figure of figures) {
      watcher.observe(figure);
      figure.addEventListener("change", () => draw(figure));
    }
  }
  function again() { for (const figure of [...drawn.keys()]) draw(figure); }

  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("change", (event) => {
    if (event.target.value === "system") delete root.dataset.theme;
    else root.dataset.theme = event.target.value;
    again();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("beforeprint", () => {
    root.dataset.before = root.dataset.theme ?? "";
    root.dataset.theme = "light";
    printing = true;
    for (const figure of figures) if (typeof Plotly !== "undefined") draw(figure);
  });
  addEventListener("afterprint", () => {
    if (root.dataset.before) root.dataset.theme = root.dataset.before;
    else delete root.dataset.theme;
    printing = false;
    again();
  });

  const player = document.getElementById("player");
  const sound = player.querySelector("audio");
  function play(clip) {
    if (clip === undefined || !Object.hasOwn(page.audio, clip)) return;
    player.hidden = false;
    document.getElementById("player-name").textContent = clip;
    sound.src = page.audio[clip];
    sound.play().catch(() => {}); // the controls are there where a browser wants a second click
  }
  player.querySelector("button").addEventListener("click", () => { sound.pause(); player.hidden = true; });
  for (const button of document.querySelectorAll(".play")) {
    button.addEventListener("click", () => play(button.dataset.clip));
  }

  function key(row, column) {
    const text = row.cells[column].textContent.trim();
    const found = parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(found) || !/^[+\-\d.]/.test(text) ? text : found;
  }
  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") return one - other;
    if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
    return one.localeCompare(other);
  }
  for (const table of document.querySelectorAll("table")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      for (const part of head.textContent.split(/(?<=[/_])/)) button.append(part, document.createElement("wbr"));
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((one, other) => (down ? -1 : 1) * compare(key(one, column), key(other, column)));
        table.tBodies[0].append(...rows);
      });
    });
  }
})();
