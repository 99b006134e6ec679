using Qcow2.PowerShell.Reports;
using Qcow2.PowerShell.Reports.Html;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Tests.Reports;

public sealed class ReportOutputTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_is_stopped_leaves_nothing_and_what_was_there_stays()
    {
        string path = _folder.Write("report.html", "old"u8);
        using var stop = new CancellationTokenSource();
        IEnumerable<System.Xml.Linq.XElement> Endless()
        {
            for (int i = 0; ; i++)
            {
                if (i == 1_000)
                {
                    stop.Cancel();
                }

                yield return El("p", new string('x', 100));
            }
        }

        Assert.ThrowsAny<OperationCanceledException>(() => ReportOutput.Write(El("html").Then(Endless()), path, overwrite: true, stop.Token));
        Assert.Equal("old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void What_fails_leaves_nothing_either()
    {
        string path = _folder.File("report.html");
        Assert.Throws<InvalidOperationException>(() => ReportOutput.Write(El("html", El("p", At("style", "x"))), path, overwrite: false, default));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Text_of_any_length_is_UTF_8()
    {
        string path = _folder.File("report.html");
        string text = string.Concat(Enumerable.Repeat("Größe 磁盘 \ud83d\ude00 ", 20_000));
        ReportOutput.Write(El("html", text), path, overwrite: false, default);
        Assert.Equal($"<!DOCTYPE html>\n<html>{text}</html>\n", File.ReadAllText(path, new System.Text.UTF8Encoding(false, throwOnInvalidBytes: true)));
        Assert.Equal((byte)'<', File.ReadAllBytes(path)[0]);
    }
}
