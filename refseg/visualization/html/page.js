"use strict";
{
  const figures = (within = document) => [...within.querySelectorAll(".js-plotly-plot")];
  const resize = (figure) => Plotly.Plots.resize(figure);
  // What is drawn while it is folded away has no width.
  document.querySelectorAll("details").forEach((details) => details.addEventListener(
    "toggle", () => { if (details.open) figures(details).forEach(resize); }));
  // A link to what is folded away unfolds it.
  const unfold = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target?.matches("details")) return;
    for (let fold = target; fold; fold = fold.parentElement.closest("details")) fold.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  document.querySelectorAll('a[href^="#"]').forEach(
    (link) => link.addEventListener("click", () => setTimeout(unfold)));
  unfold();
  // A printed page shows everything and is narrower than the window: figures are drawn anew for it,
  // and back again.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((details) => { details.open = true; });
    figures().forEach((figure) => Plotly.relayout(figure, {width: 640}));
  });
  addEventListener("afterprint", () => {
    closed.forEach((details) => { details.open = false; });
    figures().forEach((figure) => Plotly.relayout(figure, {autosize: true, width: null})
      .then(() => { if (figure.offsetParent) resize(figure); }));
  });
}
