"use strict";
{
  const form = document.querySelector("form");
  const words = document.getElementById("words");
  const status = document.getElementById("status");
  const counted = form.querySelector("output");
  const none = document.querySelector(".none");
  const groups = [...document.querySelectorAll("article")].map((element) => {
    const rest = element.cloneNode(true);
    rest.querySelector(".nodes").remove();
    return {
      element,
      names: element.querySelector(".names"),
      text: rest.textContent.toLowerCase(),
      nodes: [...element.querySelectorAll(".nodes > li")].map((node) => ({ node, text: node.textContent.toLowerCase() })),
    };
  });
  const total = groups.reduce((sum, group) => sum + group.nodes.length, 0);

  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const group of groups) {
      const hasStatus = !status.value || group.element.dataset.status === status.value;
      let own = 0;
      for (const { node, text } of group.nodes) {
        const fits = hasStatus && wanted.every((word) => text.includes(word) || group.text.includes(word));
        node.hidden = !fits;
        own += fits;
      }
      group.element.hidden = own === 0;
      if (group.names) group.names.open = wanted.length > 0 && own < group.nodes.length;
      shown += own;
    }
    for (const section of document.querySelectorAll(".verdict")) {
      const articles = [...section.querySelectorAll("article")];
      section.hidden = articles.length > 0 && articles.every((article) => article.hidden);
    }
    none.hidden = shown > 0 || total === 0;
    const text = counted.dataset.shown.replace("{shown}", shown).replace("{total}", total);
    counted.textContent = shown === total ? "" : text;
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  words.addEventListener("input", filter);
  status.addEventListener("change", filter);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      event.preventDefault();
      words.focus();
    } else if (event.key === "Escape" && event.target === words) {
      words.value = "";
      filter();
    }
  });
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => {
    while (opened.length) opened.pop().open = false;
  });
}
