// Select2 names its box after its empty content; name it after the field's label. It makes the boxes whenever it is ready to.
const nameBoxes = () => {
    for (const select of document.querySelectorAll("select.select2-hidden-accessible")) {
        const box = select.parentElement.querySelector(".select2-selection");
        const label = select.id && document.querySelector(`label[for="${select.id}"]`);
        if (box) {
            const name = label ? label.textContent.trim() : select.name;
            for (const part of [box, ...box.querySelectorAll("[role=textbox]")]) {
                part.removeAttribute("aria-labelledby");
                part.setAttribute("aria-label", name);
            }
        }
    }
};
new MutationObserver((changes) => {
    const added = changes.flatMap((change) => [...change.addedNodes]);
    if (added.some((node) => node.classList?.contains("select2-container"))) nameBoxes();
}).observe(document.documentElement, { childList: true, subtree: true });
