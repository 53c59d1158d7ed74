// Sorting the table, and the plot of accuracy against epsilon.
(() => {
  const table = document.getElementById("models");

  const sortValue = (row, column) => row.cells[column].dataset.sort;

  // Numbers by size, texts by the alphabet; what is not known comes last either way.
  const compare = (left, right, factor) => {
    if (left === "" || right === "") return (left === "") - (right === "");
    const [a, b] = [Number(left.replace("inf", "Infinity")), Number(right.replace("inf", "Infinity"))];
    const order = Number.isNaN(a) || Number.isNaN(b) ? left.localeCompare(right) : a === b ? 0 : a - b;
    return factor * order;
  };

  const sortBy = (header) => {
    const ascending = header.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    const column = header.cellIndex;
    rows.sort((a, b) => compare(sortValue(a, column), sortValue(b, column), ascending ? 1 : -1));
    table.tBodies[0].append(...rows);
    document.getElementById("sorted").textContent =
      `Sorted by ${header.textContent.trim()}, ${ascending ? "ascending" : "descending"}.`;
  };

  if (table) {
    for (const header of table.tHead.rows[0].cells) {
      header.querySelector("button").addEventListener("click", () => sortBy(header));
    }
  }

  const plots = JSON.parse(document.getElementById("plot-data").textContent);
  const chart = document.getElementById("chart");
  const choice = document.getElementById("dataset");

  // Plotly reads tags in its texts; these are names, which are shown as they are.
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  // A variable has a colour for light and one for dark; only an element has the one of now.
  const probe = document.body.appendChild(document.createElement("span"));
  const colour = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };

  const trace = (points, name, marker, more) => ({
    type: "scatter",
    name,
    x: points.map((point) => point.epsilon),
    y: points.map((point) => 100 * point.accuracy),
    text: points.map((point) => plain(point.label)),
    customdata: points.map((point) => point.page),
    hovertemplate: "%{text}<br>epsilon %{x:.2f}, accuracy %{y:.1f} %<extra></extra>",
    mode: "markers",
    marker,
    ...more,
  });

  const publishedTraces = (points) => {
    const methods = [...new Set(points.map((point) => point.label))];
    return methods.map((method, index) => {
      const own = points.filter((point) => point.label === method);
      return trace(
        own,
        "published",
        { color: colour("muted"), size: 8, symbol: "circle-open", line: { width: 1.5 } },
        {
          // A line through two points would tell more than was published.
          mode: own.length > 2 ? "lines+markers" : "markers",
          line: { color: colour("line"), width: 1.5 },
          legendgroup: "published",
          showlegend: index === 0,
        },
      );
    });
  };

  const draw = () => {
    const { points } = plots[Number(choice.value) || 0];
    const narrow = chart.clientWidth < 520;
    const of = (kind) => points.filter((point) => point.kind === kind);
    const label = {
      mode: narrow ? "markers" : "markers+text",
      textposition: "top center",
      textfont: { color: colour("ink") },
      cliponaxis: false,
    };
    const traces = [
      ...publishedTraces(of("published")),
      trace(of("invalid"), "no valid guarantee", { color: colour("bad"), size: 11, symbol: "x" }, label),
      trace(of("model"), "this gallery", { color: colour("accent"), size: 12 }, label),
    ].filter((each) => each.x.length);
    const largest = Math.max(1, ...points.map((point) => point.epsilon));
    const axis = {
      gridcolor: colour("line"),
      linecolor: colour("line"),
      zeroline: false,
      tickfont: { color: colour("muted") },
      automargin: true,
    };
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, color: colour("ink"), size: 13 },
      margin: { l: 52, r: 16, t: 16, b: 48 },
      xaxis: { ...axis, title: { text: "epsilon (smaller is more private)" }, range: [0, 1.1 * largest] },
      yaxis: { ...axis, title: { text: "test accuracy in %" } },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: colour("ink") } },
      hovermode: "closest",
    };
    Plotly.react(chart, traces, layout, { responsive: true, displaylogo: false, displayModeBar: false });
    const count = (kind) => of(kind).length;
    chart.setAttribute(
      "aria-label",
      `Accuracy against epsilon on ${choice.selectedOptions[0].textContent}: ` +
        `${count("model") + count("invalid")} of this gallery and ${count("published")} published ` +
        "results. The numbers are in the table that follows.",
    );
  };

  const begin = () => {
    if (!plots.length) return;
    draw();
    chart.on("plotly_click", (event) => {
      const page = event.points[0].customdata;
      if (page) location.href = page;
    });
    choice.addEventListener("change", draw);
    document.addEventListener("themechange", draw);
  };

  // This script is deferred, and so is the library before it.
  begin();
})();
