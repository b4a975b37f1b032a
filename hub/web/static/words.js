// What the scripts say, in the language of the page: `said.LANGUAGE.js`, loaded before, has the words.
"use strict";
(() => {
  const { said, forms } = window.vestibuleSaid || { said: {}, forms: [] };
  const fill = (text, values) => text.replace(/%(?:\((\w+)\)s|%)/g, (whole, name) => (name ? String(values[name]) : "%"));
  const _ = (text, values = {}) => fill(said[text] || text, values);
  function ngettext(one, many, count, values = {}) {
    const n = count < forms.length ? count : 100 + (count % 100), all = said[one];
    return fill(all ? all[forms[n]] : count === 1 ? one : many, values);
  }
  // Dates and the 24 hour clock as the language writes them.
  const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  window.vestibuleWords = Object.freeze({ _, ngettext, locale });
})();
