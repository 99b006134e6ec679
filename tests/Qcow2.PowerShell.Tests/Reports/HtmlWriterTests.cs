using System.Xml.Linq;
using Qcow2.PowerShell.Reports.Html;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Tests.Reports;

public sealed class HtmlWriterTests
{
    [Theory]
    [InlineData("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;")]
    [InlineData("\"' onload=x", "&quot;' onload=x")]
    [InlineData("]]> <!-- &amp; -->", "]]&gt; &lt;!-- &amp;amp; --&gt;")]
    [InlineData("a\0b\u001bc\u0085d\re", "a\ufffdb\ufffdc\ufffdd\ufffde")]
    [InlineData("line\nand\ttab", "line\nand\ttab")]
    public void Whatever_a_text_is_it_stays_text(string text, string written)
    {
        Assert.Equal($"<p>{written}</p>", Write(El("p", text)));
        Assert.Equal($"<p title=\"{written}\"></p>", Write(El("p", At("title", text))));
        Assert.Equal($"<p>{written}</p>", Write(El("p", new XCData(text))));
    }

    [Fact]
    public void Half_of_a_character_is_none() // The runner itself loses them in its data.
        => Assert.Equal("<p>\ufffd \ufffd\ufffd \ud83d\ude00</p>", Write(El("p", "\ud800 \udc00\ud800 \ud83d\ude00")));

    [Fact]
    public void Elements_have_an_end_but_for_those_that_have_none()
        => Assert.Equal("<div><br><meta charset=\"utf-8\"><p></p></div>", Write(El("div", El("br"), El("meta", At("charset", "utf-8")), El("p"))));

    [Fact]
    public void Content_that_is_made_later_follows()
    {
        int made = 0;
        XElement list = El("ul", El("li", "first")).Then(Enumerable.Range(1, 2).Select(number => El("li", $"{++made}, {number}")));
        Assert.Equal(0, made);
        Assert.Equal("<ul><li>first</li><li>1, 1</li>\n<li>2, 2</li>\n</ul>", Write(list));
    }

    public static TheoryData<XElement> Forbidden =>
    [
        El("a", At("href", "javascript:alert(1)")),
        El("a", At("href", "https://example.com/")),
        El("a", At("href", "")),
        El("p", At("onclick", "x")),
        El("p", At("ONCLICK", "x")),
        El("p", At("style", "x")),
        El("img", At("src", "x")),
        El("p", new XComment("-->")),
        El("script", "'</script>'"),
        El("style", "<!--"),
        new XElement(XName.Get("p", "http://www.w3.org/1999/xhtml")),
        new XElement("p", new XAttribute("a.b", "x")),
    ];

    [Theory]
    [MemberData(nameof(Forbidden))]
    public void What_could_run_or_load_is_not_written(XElement element) => Assert.Throws<InvalidOperationException>(() => Write(element));

    [Fact]
    public void A_script_is_written_as_it_stands() => Assert.Equal("<script>1 < 2 && \"x\"</script>", Write(El("script", "1 < 2 && \"x\"")));

    private static string Write(XElement element)
    {
        var text = new StringWriter();
        new HtmlWriter(text).WriteDocument(element);
        string written = text.ToString();
        Assert.StartsWith("<!DOCTYPE html>\n", written, StringComparison.Ordinal);
        return written["<!DOCTYPE html>\n".Length..].TrimEnd('\n').Replace("\n</ul>", "\n</ul>", StringComparison.Ordinal);
    }
}
