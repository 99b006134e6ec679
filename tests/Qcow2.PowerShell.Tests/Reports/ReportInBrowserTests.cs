using System.Text;
using PuppeteerSharp;

namespace Qcow2.PowerShell.Tests.Reports;

/// <summary>What a real browser makes of a report.</summary>
public sealed class ReportInBrowserTests(ReportPage report) : IClassFixture<ReportPage>
{
    [ChromiumFact]
    public async Task It_fits_every_width_and_can_be_read_in_light_and_dark()
    {
        foreach ((int width, bool isDark) in new[] { (400, true), (400, false), (1_600, true), (1_600, false) })
        {
            await report.Open(width, isDark, async page =>
            {
                Assert.Equal("", await page.EvaluateFunctionAsync<string>(PageScripts.TooWide));
                if (width == 1_600) // Colours do not depend on it.
                {
                    Assert.Equal("", await page.EvaluateFunctionAsync<string>(PageScripts.PoorContrast));
                    Assert.Equal(isDark, await page.EvaluateExpressionAsync<bool>("getComputedStyle(document.documentElement).backgroundColor === 'rgb(20, 23, 27)'"));
                }
            });
        }
    }

    [ChromiumFact]
    public Task Names_are_text_and_no_element_is_born_of_them() => report.Open(1_600, isDark: false, async page =>
    {
        string[] elements = await page.EvaluateExpressionAsync<string[]>("[...new Set([...document.querySelectorAll('*')].map(e => e.localName))].sort()");
        Assert.Equal(
            [
                "a", "article", "bdi", "body", "button", "caption", "circle", "dd", "defs", "div", "dl", "dt", "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "head", "header", "html",
                "li", "line", "main", "meta", "nav", "p", "path", "pattern", "rect", "script", "section", "span", "style", "svg", "table", "tbody", "td", "th", "thead", "time", "title", "tr", "ul",
            ],
            elements);
        Assert.Equal((int[])[1, 1], await page.EvaluateExpressionAsync<int[]>("[document.scripts.length, document.styleSheets.length]"));
        string[] attributes = await page.EvaluateExpressionAsync<string[]>("[...new Set([...document.querySelectorAll('*')].flatMap(e => e.getAttributeNames()))].sort()");
        Assert.DoesNotContain(attributes, name => name.StartsWith("on", StringComparison.Ordinal) || name is "style" or "src" or "srcdoc");
        Assert.True(await page.EvaluateExpressionAsync<bool>("[...document.links].every(a => a.getAttribute('href').startsWith('#') && document.getElementById(a.hash.slice(1)))"));

        string text = await page.EvaluateExpressionAsync<string>("document.body.textContent");
        foreach (string name in ReportPage.HostileNames.Where(name => name.Length is > 0 and < 1_000))
        {
            string shown = new(DisplayText.Printable(name).SelectMany(letter => char.IsSurrogate(letter) ? $"\\u{(int)letter:x4}" : $"{letter}").ToArray());
            Assert.Contains(shown, text, StringComparison.Ordinal);
        }

        Assert.Contains("(65,536 characters)", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\u202e", text, StringComparison.Ordinal);
        Assert.Equal(ReportPage.HostileNames[0], await page.GetTitleAsync());
    });

    [ChromiumFact]
    public Task The_table_sorts_by_mouse_and_by_keyboard() => report.Open(1_600, isDark: true, async page =>
    {
        Task<string[]> Column(int column) => page.EvaluateFunctionAsync<string[]>("column => [...document.querySelectorAll('#image-table tbody tr')].map(row => row.cells[column].dataset.value)", column);
        Task<string[]> Sorting() => page.EvaluateExpressionAsync<string[]>("[...document.querySelectorAll('#image-table th[aria-sort]')].map(th => th.textContent + ' ' + th.getAttribute('aria-sort'))");
        string[] before = await Column(0);
        Assert.Empty(await Sorting());

        await page.ClickAsync("#image-table thead th:nth-child(4) button");
        Assert.Equal(["Virtual descending"], await Sorting());
        long[] sizes = [.. (await Column(3)).Where(value => value.Length > 0).Select(long.Parse)];
        Assert.Equal(sizes.OrderDescending(), sizes);
        Assert.True(sizes.Length < before.Length, "An image that cannot be read has no size.");
        Assert.Equal("", (await Column(3))[^1]);

        // Enter turns it round, and what is not known stays last.
        await page.FocusAsync("#image-table thead th:nth-child(4) button");
        await page.Keyboard.PressAsync("Enter");
        Assert.Equal(["Virtual ascending"], await Sorting());
        Assert.Equal(sizes.Order(), (await Column(3)).Where(value => value.Length > 0).Select(long.Parse));
        Assert.Equal("", (await Column(3))[^1]);
        Assert.Equal("Sorted by Virtual, smallest first.", await page.EvaluateExpressionAsync<string>("document.getElementById('sorted').textContent"));

        // The next heading is the next stop of the Tab key.
        await page.Keyboard.PressAsync("Tab");
        await page.Keyboard.PressAsync("Space");
        Assert.Equal(["On disk descending"], await Sorting());
        await page.ClickAsync("#image-table thead th:first-child button");
        Assert.Equal(["Image ascending"], await Sorting());
        Assert.Equal(before.Order(StringComparer.Ordinal), (await Column(0)).Order(StringComparer.Ordinal));
        Assert.NotEqual(before, await Column(0));
    });

    [ChromiumFact]
    public async Task Its_policy_lets_nothing_run_or_load_that_comes_in_later()
    {
        await using IPage page = await report.OpenUnwatched();
        string[] refused = await page.EvaluateFunctionAsync<string[]>(PageScripts.BreakIn);
        Assert.Equal(["connect-src", "img-src", "script-src-attr", "script-src-elem", "style-src-attr"], refused);
        Assert.False(await page.EvaluateExpressionAsync<bool>("'hits' in window"));
    }

    [ChromiumFact]
    public Task It_is_a_page_for_a_screen_reader() => report.Open(1_600, isDark: false, async page =>
    {
        Assert.Equal("", await page.EvaluateFunctionAsync<string>(PageScripts.Unsaid));
        Assert.Equal("en", await page.EvaluateExpressionAsync<string>("document.documentElement.lang"));
        Assert.Equal((int[])[1, 1, 1, 1], await page.EvaluateExpressionAsync<int[]>("['body > header', 'nav', 'main', 'body > footer'].map(what => document.querySelectorAll(what).length)"));

        // Headings go down by one level at a time.
        int[] levels = await page.EvaluateExpressionAsync<int[]>("[...document.querySelectorAll('h1, h2, h3, h4')].map(h => +h.localName[1])");
        Assert.Equal(1, levels[0]);
        Assert.DoesNotContain(levels.Zip(levels.Skip(1)), pair => pair.Second > pair.First + 1 || pair.Second == 1);
    });

    [ChromiumFact]
    public Task It_prints() => report.Open(1_600, isDark: true, async page =>
    {
        byte[] pdf = await page.PdfDataAsync(new PdfOptions { PrintBackground = true, Format = PuppeteerSharp.Media.PaperFormat.A4, PageRanges = "1-3" });
        Assert.Equal("%PDF-", Encoding.ASCII.GetString(pdf, 0, 5));
        Assert.True(pdf.Length > 10_000);

        // On paper it is light whatever the screen is, and nothing is cut off at the right.
        await page.EmulateMediaTypeAsync(PuppeteerSharp.Media.MediaType.Print);
        Assert.Equal("rgb(255, 255, 255)", await page.EvaluateExpressionAsync<string>("getComputedStyle(document.documentElement).backgroundColor"));
        await page.SetViewportAsync(new ViewPortOptions { Width = 718, Height = 1_000 }); // A4 within its margins.
        Assert.Equal("", await page.EvaluateFunctionAsync<string>(PageScripts.TooWide));
    });

    [ChromiumFact]
    public async Task Without_its_script_it_says_the_same()
    {
        await using IPage page = await report.OpenUnwatched();
        string with = await page.EvaluateExpressionAsync<string>("document.body.innerText");
        await page.SetJavaScriptEnabledAsync(false);
        await page.ReloadAsync();
        Assert.Equal(with, await page.EvaluateExpressionAsync<string>("document.body.innerText"));
        Assert.Equal(0, await page.EvaluateExpressionAsync<int>("document.querySelectorAll('button').length"));
    }
}
