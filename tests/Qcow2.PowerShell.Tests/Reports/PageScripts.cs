namespace Qcow2.PowerShell.Tests.Reports;

/// <summary>What is asked inside a page. The tests' own scripts are not under its policy; what they put into it is.</summary>
internal static class PageScripts
{
    /// <summary>What makes the page scroll sideways, each as a line; tables may, by themselves.</summary>
    internal const string TooWide = """
        () => {
          const room = document.documentElement.clientWidth;
          if (document.documentElement.scrollWidth <= room) return '';
          const wide = [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > room + 0.5 && !e.closest('.wide'));
          return `${document.documentElement.scrollWidth} of ${room}: ` + wide.map(e => `${e.localName}.${e.getAttribute('class')} ${e.textContent.slice(0, 40)}`).slice(0, 20).join('\n');
        }
        """;

    /// <summary>Text with less contrast than WCAG 2 wants at level AA (4.5, 3 for large text), each as a line.</summary>
    internal const string PoorContrast = """
        () => {
          const part = value => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
          const parse = color => { const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number); return { light: 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b), a }; };
          const behind = element => { for (let e = element; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.a === 1) return c.light; if (c.a > 0) return NaN; } return 1; };
          const poor = new Map();
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const element = walker.currentNode.parentElement;
            if (!walker.currentNode.data.trim() || element.closest('script, .unseen')) continue;
            const style = getComputedStyle(element);
            const [a, b] = [parse(style.color).light, behind(element)].sort((x, y) => y - x);
            const size = parseFloat(style.fontSize);
            const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
            const ratio = (a + 0.05) / (b + 0.05);
            if (!(ratio >= least)) poor.set(`${element.localName}.${element.className}`, ratio.toFixed(2));
          }
          return [...poor].map(([what, ratio]) => `${what}: ${ratio}`).join('\n');
        }
        """;

    /// <summary>What a screen reader would have nothing to say of, each as a line.</summary>
    internal const string Unsaid = """
        () => {
          const wrong = [];
          const name = e => e.getAttribute('aria-label') || (e.getAttribute('aria-labelledby') || '').split(' ').map(id => document.getElementById(id)?.textContent || '').join('');
          for (const e of document.querySelectorAll('svg')) if (e.getAttribute('aria-hidden') !== 'true' && !e.closest('[aria-hidden=true]') && !(e.getAttribute('role') === 'img' && name(e))) wrong.push('svg ' + e.outerHTML.slice(0, 80));
          for (const e of document.querySelectorAll('table')) if (!e.caption?.textContent) wrong.push('table without caption');
          for (const e of document.querySelectorAll('th')) if (!['col', 'row'].includes(e.scope)) wrong.push('th ' + e.textContent);
          for (const e of document.querySelectorAll('section, article, nav, [role=region]')) if (!name(e)) wrong.push(e.localName + ' without a name');
          for (const e of document.querySelectorAll('a, button')) if (!e.textContent.trim()) wrong.push(e.outerHTML);
          const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
          for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) wrong.push('twice: ' + id);
          return wrong.join('\n');
        }
        """;

    /// <summary>Tries what a name would try if it became markup, and returns which rules refused it.</summary>
    internal const string BreakIn = """
        async () => {
          const refused = new Set();
          document.addEventListener('securitypolicyviolation', e => refused.add(e.effectiveDirective));
          document.body.insertAdjacentHTML('beforeend', '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=" onerror="window.hits = 1"><p onclick="window.hits = 2" style="color: red" id="inserted">x</p>');
          document.getElementById('inserted').click();
          const script = document.createElement('script');
          script.textContent = 'window.hits = 3';
          document.body.append(script);
          await fetch('https://example.com/').catch(() => {});
          await new Promise(done => setTimeout(done, 200));
          return [...refused].sort();
        }
        """;
}
