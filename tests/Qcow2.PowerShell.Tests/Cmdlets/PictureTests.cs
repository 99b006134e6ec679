using System.Text;
using Qcow2.Engine;
using Qcow2.PowerShell.Operations;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

public sealed class PictureTests : IClassFixture<ModuleSession>, IDisposable
{
    private const string Chain = """
        New-Qcow2Image base.qcow2 64MB > $null
        Write-Qcow2Image base.qcow2 -Offset 0 -Value ([byte[]] (,1 * 8MB))
        Convert-Qcow2Image base.qcow2 packed.qcow2 -Compress
        New-Qcow2Image middle.qcow2 64MB -BackingFile packed.qcow2 -BackingFormat qcow2 > $null
        Write-Qcow2Image middle.qcow2 -Offset 16MB -Value ([byte[]] (,2 * 8MB))
        Write-Qcow2Image middle.qcow2 -Offset 32MB -Length 8MB -Zero
        Checkpoint-Qcow2Image middle.qcow2 before
        New-Qcow2Image top.qcow2 64MB -BackingFile middle.qcow2 -BackingFormat qcow2 > $null
        Write-Qcow2Image top.qcow2 -Offset 4MB -Value ([byte[]] (,3 * 4MB))
        Write-Qcow2Image top.qcow2 -Offset 48MB -Value ([byte[]] (,3 * 64KB))
        """;

    // What runs the tests may want no colours in its log.
    private readonly string? _noColor = Environment.GetEnvironmentVariable("NO_COLOR");
    private readonly ModuleSession _session;

    public PictureTests(ModuleSession session)
    {
        Environment.SetEnvironmentVariable("NO_COLOR", null);
        _session = session;
        if (!File.Exists(session.File("top.qcow2")))
        {
            Assert.Empty(session.Run(Chain).Errors);
        }
    }

    public void Dispose() => Environment.SetEnvironmentVariable("NO_COLOR", _noColor);

    [Fact]
    public void Shows_kinds_and_layers_by_signs_alone()
    {
        Qcow2ImagePicture picture = Draw("Show-Qcow2Image top.qcow2 -Width 75 -Height 1"); // 64 signs of a MiB.
        Assert.Equal(1 << 20, picture.BytesPerSign);
        Assert.Equal("bbbb████········11111111········░░░░░░░░········▄···············", Assert.Single(picture.Rows).Signs);
        Assert.Equal(
            [
                ("█", "▄", ExtentKind.Data, false, 0, (4 << 20) + (64 << 10)),
                ("1", null, ExtentKind.Data, false, 1, 8 << 20),
                ("░", null, ExtentKind.Zero, false, 1, 8 << 20),
                ("b", null, ExtentKind.Data, true, 2, 4 << 20),
                ("·", null, ExtentKind.Unallocated, false, (int?)null, (40 << 20) - (64 << 10)),
            ],
            picture.Legend.Select(entry => (entry.Sign, entry.PartialSign, entry.Kind, entry.IsCompressed, entry.Depth, entry.Bytes)));
        Assert.Equal(picture.Size, picture.Legend.Sum(entry => entry.Bytes));
        Assert.Equal(["top.qcow2", "middle.qcow2", "middle.qcow2", "packed.qcow2", null], picture.Legend.Select(entry => Path.GetFileName(entry.FilePath)));
    }

    [Fact]
    public void Gives_each_file_of_the_chain_a_row()
    {
        Qcow2ImagePicture picture = Draw("Show-Qcow2Image top.qcow2 -Width 79 -BackingChain"); // Again 64 signs.
        Assert.Equal(
            [
                "    ████········        ········        ········▄···············",
                "        ········████████········░░░░░░░░········ ···············",
                "▓▓▓▓    ········        ········        ········ ···············",
            ],
            picture.Rows.Select(row => row.Signs));
        Assert.Equal([0, 1, 2], picture.Rows.Select(row => row.Depth));
        Assert.Equal(["top.qcow2", "middle.qcow2", "packed.qcow2"], picture.Rows.Select(row => Path.GetFileName(row.FilePath)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("-BackingChain")]
    public void Has_no_sign_beyond_ascii_if_told_so(string how)
    {
        Qcow2ImagePicture picture = Draw($"Show-Qcow2Image top.qcow2 -Width 75 -Height 1 -Ascii {how}");
        Assert.Contains(how.Length > 0 ? "%%%%" : "bbbb####........11111111........oooooooo........+", string.Concat(picture.Rows.Select(row => row.Signs)), StringComparison.Ordinal);
        Assert.Matches(@"^[\x20-\x7e\r\n]+$", _session.Run($"$PSStyle.OutputRendering = 'PlainText'; Show-Qcow2Image top.qcow2 -Ascii {how} | Out-String").Output.Single().ToString());
    }

    [Theory]
    [InlineData(65001, '█')]
    [InlineData(437, '█')]
    [InlineData(850, '█')]
    [InlineData(20127, '#')]
    [InlineData(28591, '#')]
    [InlineData(1252, '#')]
    public void Has_the_signs_that_the_encoding_has(int codePage, char data)
    {
        Encoding.RegisterProvider(CodePagesEncodingProvider.Instance);
        Assert.Equal(data, PictureSigns.For(Encoding.GetEncoding(codePage)).Data);
    }

    [Theory]
    [InlineData(40)]
    [InlineData(59)]
    [InlineData(60)]
    [InlineData(80)]
    [InlineData(120)]
    [InlineData(500)]
    public void Fits_the_width(int width)
    {
        _session.Run("Copy-Item top.qcow2 ('n' * 80 + '.qcow2')");
        foreach (string image in new[] { "top.qcow2", $"{new string('n', 80)}.qcow2", "middle.qcow2 -SnapshotName before" })
        {
            foreach (string how in new[] { "", "-BackingChain", "-Ascii" })
            {
                string[] lines = DisplayText.Picture(Draw($"Show-Qcow2Image {image} -Width {width} {how}"), null);
                Assert.All(lines, line => Assert.InRange(line.Length, 1, width - 1));
                Assert.Equal(how == "-BackingChain" ? width - (width >= 80 ? 23 : 15) : width - 11, Draw($"Show-Qcow2Image {image} -Width {width} {how}").Rows[0].Signs.Length);
            }
        }
    }

    [Fact]
    public void Takes_the_width_of_the_window()
    {
        Qcow2ImagePicture picture = Draw("Show-Qcow2Image top.qcow2");
        Assert.Equal(120, picture.Width);
        Assert.Equal(8, picture.Rows.Length);
        Assert.Equal(109, picture.Rows[0].Signs.Length);
        Assert.DoesNotContain(_session.Show("Show-Qcow2Image top.qcow2").Split('\n'), line => line.Length > 0 && line.TrimEnd('·').Length == 0);
    }

    [Fact]
    public void Shows_a_snapshot()
    {
        Qcow2ImagePicture picture = Draw("Show-Qcow2Image middle.qcow2 -SnapshotName before -Width 75 -Height 1");
        Assert.Equal("before", picture.SnapshotName);
        Assert.Equal("aaaaaaaa········████████········░░░░░░░░························", picture.Rows[0].Signs);
        Assert.Contains("snapshot before (1)", DisplayText.Picture(picture, null)[0], StringComparison.Ordinal);
        Assert.Equal(["SnapshotNotFound"], _session.Run("Show-Qcow2Image middle.qcow2 -SnapshotName after").ErrorIds);
    }

    [Theory]
    [InlineData("vhdx")]
    [InlineData("vhd")]
    [InlineData("vmdk")]
    [InlineData("vdi")]
    [InlineData("raw")]
    public void Shows_any_format(string format)
    {
        _session.Run($"if (!(Test-Path any.{format})) {{ Convert-Qcow2Image base.qcow2 any.{format} }}");
        string signs = Draw($"Show-Qcow2Image any.{format} -Width 75 -Height 1").Rows[0].Signs;
        Assert.Matches("^█{8}[░·▄]{56}$", signs);
        Assert.DoesNotContain('▄', signs.Substring(9));
    }

    [Fact]
    public void Of_a_tiny_disk_has_a_sign_for_each_sector()
    {
        _session.Run("New-Qcow2Image tiny.qcow2 1536 > $null");
        Assert.Equal("···", Assert.Single(Draw("Show-Qcow2Image tiny.qcow2").Rows).Signs);
    }

    [Fact]
    public void Sends_no_colors_to_files_and_strings_and_none_where_the_session_has_none()
    {
        string Out(string rendering, string script) => string.Concat(_session.Run($"$PSStyle.OutputRendering = '{rendering}'; {script}").Output);
        const string Show = "Show-Qcow2Image top.qcow2 -Width 80";
        string plain = Out("PlainText", Show + " | Out-String");
        Assert.DoesNotContain('\u001b', plain);
        Assert.Contains("│bbbbb", plain, StringComparison.Ordinal);
        Assert.Equal(plain, Out("Host", Show + " | Out-String"));
        string colored = Out("Ansi", Show + " | Out-String");
        Assert.Contains("│\u001b[35mbbbbb", colored, StringComparison.Ordinal);
        Assert.Equal(plain, System.Text.RegularExpressions.Regex.Replace(colored, "\u001b\\[[0-9;]*m", ""));
        Out("Host", Show + " | Out-File picture.txt");
        Assert.Equal(plain.Trim(), File.ReadAllText(_session.File("picture.txt")).Trim());
        Out("Host", "");
    }

    [Fact]
    public void Honours_no_color()
    {
        Qcow2ImagePicture picture = Draw("Show-Qcow2Image top.qcow2");
        object style = new { OutputRendering = "Host" };
        Assert.Contains(DisplayText.Picture(picture, style), line => line.Contains('\u001b'));
        Assert.DoesNotContain(DisplayText.Picture(picture, new { OutputRendering = "PlainText" }), line => line.Contains('\u001b'));
        Environment.SetEnvironmentVariable("NO_COLOR", "1");
        Assert.DoesNotContain(DisplayText.Picture(picture, style), line => line.Contains('\u001b'));
    }

    [Fact]
    public void Looks_the_same_after_a_journey()
    {
        string[] lines = [.. _session.Run("""
            $picture = Show-Qcow2Image top.qcow2 -BackingChain -Ascii -Width 70
            $picture | Export-Clixml picture.xml
            $picture | Out-String
            Import-Clixml picture.xml | Out-String
            (Import-Clixml picture.xml | Get-Qcow2Image).Path
            """).Output.Select(item => item.ToString())];
        Assert.Equal(lines[0], lines[1]);
        Assert.Contains("%", lines[0], StringComparison.Ordinal);
        Assert.Equal(_session.File("top.qcow2"), lines[2]);
    }

    [Fact]
    public void An_image_that_cannot_be_read_is_an_error_and_the_next_is_shown()
    {
        File.WriteAllText(_session.File("bad.qcow2"), "QFI");
        SessionResult result = _session.Run("Show-Qcow2Image bad.qcow2, top.qcow2");
        Assert.Single(result.Errors);
        Assert.Single(result.Of<Qcow2ImagePicture>());
    }

    private Qcow2ImagePicture Draw(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return Assert.Single(result.Of<Qcow2ImagePicture>());
    }
}
