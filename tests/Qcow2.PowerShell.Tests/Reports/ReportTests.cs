using System.Text.RegularExpressions;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Reports;

/// <summary>The cmdlet: what goes in, what comes out, and what becomes of the file. What a browser makes of it is the affair of <see cref="ReportInBrowserTests"/>.</summary>
public sealed class ReportTests : IDisposable
{
    private readonly ModuleSession _session = new();

    public void Dispose() => _session.Dispose();

    [Fact]
    public void Tells_of_every_image_what_is_special_about_it()
    {
        _session.With("bit-corrupt", "bit-dirty", "leaks", "luks", "backing-missing", "chain-top", "snapshots", "zstd");
        SessionResult result = _session.Run("Get-ChildItem *.qcow2 | Export-Qcow2Report -DestinationPath report.html -Title 'A & B' -PassThru");
        Assert.Equal(_session.File("report.html"), Assert.Single(result.Of<FileInfo>()).FullName);
        Assert.Equal(["BackingFileUnavailable"], result.ErrorIds);
        string text = Read();
        Assert.StartsWith("<!DOCTYPE html>\n<html lang=\"en\">", text, StringComparison.Ordinal);
        Assert.Contains("<title>A &amp; B</title>", text, StringComparison.Ordinal);
        Assert.Contains("corrupt", StatesOf(text, "bit-corrupt.qcow2"));
        Assert.Contains("dirty", StatesOf(text, "bit-dirty.qcow2"));
        Assert.Contains("encrypted", StatesOf(text, "luks.qcow2"));
        Assert.Contains("broken chain", StatesOf(text, "backing-missing.qcow2"));
        Assert.Empty(StatesOf(text, "zstd.qcow2"));
        Assert.Empty(StatesOf(text, "leaks.qcow2")); // Nobody asked for a check.
        Assert.DoesNotContain("<h4>Check</h4>", text, StringComparison.Ordinal);
        foreach (Qcow2Snapshot snapshot in _session.Run("Get-Qcow2Snapshot snapshots.qcow2").Of<Qcow2Snapshot>())
        {
            Assert.Contains($"<bdi>{snapshot.Name}</bdi>", text, StringComparison.Ordinal);
            Assert.Contains($"datetime=\"{new DateTimeOffset(snapshot.CreationTime):yyyy-MM-ddTHH:mm:sszzz}\"", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Check_finds_what_is_wrong()
    {
        _session.With("leaks", "zstd");
        Assert.Empty(_session.Run("New-Qcow2Image disk.vhd 1MB > $null").Errors);
        string text = Report("-Path *.qcow2, disk.vhd -Check");
        Assert.Contains("not sound", StatesOf(text, "leaks.qcow2"));
        Assert.Empty(StatesOf(text, "zstd.qcow2"));
        Qcow2CheckResult check = _session.Run("Test-Qcow2Image leaks.qcow2").Of<Qcow2CheckResult>()[0];
        Assert.Contains($"Not sound: {check.Leaks} leaked cluster{(check.Leaks == 1 ? "" : "s")}", text, StringComparison.Ordinal);
        Assert.Contains(">ClusterLeaked</td>", text, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(text, "<bdi>Sound.</bdi>"));
    }

    [Fact]
    public void What_is_bad_is_in_the_report_and_an_error_and_the_rest_go_on()
    {
        _session.With("zstd");
        File.WriteAllText(_session.File("bad.qcow2"), "no image at all");
        Directory.CreateDirectory(_session.File("folder.qcow2"));
        SessionResult result = _session.Run("Get-ChildItem | Export-Qcow2Report -DestinationPath report.html; Export-Qcow2Report -LiteralPath gone.qcow2 more.html");
        Assert.Equal(["NotQcow2", "PathIsFolder", "PathNotFound"], result.ErrorIds.Order());
        string text = Read();
        Assert.Contains("cannot be read", StatesOf(text, "bad.qcow2"));
        Assert.Empty(StatesOf(text, "zstd.qcow2"));
        Assert.DoesNotContain("folder.qcow2", text, StringComparison.Ordinal);
        Assert.Contains("cannot be read", StatesOf(File.ReadAllText(_session.File("more.html")), "gone.qcow2"));
    }

    [Fact]
    public void The_same_file_is_one_row_however_often_it_is_given()
    {
        _session.With("snapshots");
        string text = Report("-InputObject (@(Get-Qcow2Snapshot snapshots.qcow2) + @(Get-Qcow2Image snapshots.qcow2))");
        Assert.Single(Regex.Matches(text, "<article "));
    }

    [Fact]
    public void Chains_are_followed_as_far_as_they_may_be()
    {
        _session.With("chain-top");
        string text = Report("-Path chain-top.qcow2");
        Assert.Contains("<bdi>chain-base.qcow2</bdi>", text, StringComparison.Ordinal);
        Assert.Contains("not in this report", text, StringComparison.Ordinal);

        // Nothing is wrong with a file that was not to be opened.
        text = Report("-Path chain-top.qcow2 -ReferencePolicy Forbid");
        Assert.Contains("not followed: ", text, StringComparison.Ordinal);
        Assert.Contains("chain not followed", StatesOf(text, "chain-top.qcow2"));
        Assert.DoesNotContain("<bdi>chain-base.qcow2</bdi>", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Reclaimable_is_what_Optimize_gives_back()
    {
        // What lies past everything is what a program leaves that was interrupted, or grew the file ahead of its use.
        Assert.Empty(_session.Run("New-Qcow2Image grown.qcow2 128MB > $null; Write-Qcow2Image grown.qcow2 -Offset 0 -Value ([byte[]] (,1 * 1MB))").Errors);
        byte[] rest = new byte[24 << 20];
        Array.Fill(rest, (byte)1);
        File.AppendAllBytes(_session.File("grown.qcow2"), rest);
        string text = Report("-Path grown.qcow2");
        Assert.Contains("overgrown", StatesOf(text, "grown.qcow2"));
        long said = long.Parse(Regex.Match(text, @"at least [0-9.]+ MiB \(([0-9,]+) bytes\)").Groups[1].Value.Replace(",", "", StringComparison.Ordinal), System.Globalization.CultureInfo.InvariantCulture);
        Qcow2OptimizeResult gain = Assert.Single(_session.Run("Optimize-Qcow2Image grown.qcow2 -PassThru").Of<Qcow2OptimizeResult>());
        Assert.InRange(said, (24 << 20) - (1 << 20), gain.AllocatedSizeBefore - gain.AllocatedSize + (1 << 20));
        Assert.Empty(StatesOf(Report("-Path grown.qcow2"), "grown.qcow2"));
    }

    [Fact]
    public void What_an_object_says_of_packed_disks_is_shown_and_nothing_is_unpacked()
    {
        _session.With("snapshots");
        SessionResult result = _session.Run("""
            $path = (Get-Item snapshots.qcow2).FullName
            $disks = foreach ($name in 'one<b>.vmdk', 'two.vmdk') {
                [Qcow2.Engine.Qcow2ImageInfo]@{ Path = $path; PackedIn = 'xz'; DiskName = $name; Format = 'vmdk'; Size = 5MB; FileSize = 3MB }
            }
            $disks | Export-Qcow2Report -DestinationPath packed.html
            """);
        Assert.Empty(result.Errors);
        string text = File.ReadAllText(_session.File("packed.html"));
        Assert.Contains("snapshots.qcow2: one&lt;b&gt;.vmdk", text, StringComparison.Ordinal);
        Assert.Contains("snapshots.qcow2: two.vmdk", text, StringComparison.Ordinal);
        Assert.Contains("nothing is unpacked", text, StringComparison.Ordinal);
        Assert.DoesNotContain("class=\"disk\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_disk_in_an_archive_has_its_map_and_one_that_is_not_there_any_more_has_none()
    {
        Assert.Empty(_session.Run("New-Qcow2Image one.qcow2 4MB > $null; Write-Qcow2Image one.qcow2 -Offset 1MB -Value ([byte[]] (,7 * 1MB)); Convert-Qcow2Image one.qcow2 one.vmdk; New-Qcow2Image two.vmdk 2MB > $null").Errors);
        using (var archive = new System.Formats.Tar.TarWriter(File.Create(_session.File("box.ova"))))
        {
            string descriptor = "<Envelope><References><File id=\"a\" href=\"one.vmdk\"/><File id=\"b\" href=\"two.vmdk\"/></References><DiskSection><Disk diskId=\"1\" fileRef=\"a\"/><Disk diskId=\"2\" fileRef=\"b\"/></DiskSection></Envelope>";
            File.WriteAllText(_session.File("box.ovf"), descriptor);
            foreach (string name in (string[])["box.ovf", "one.vmdk", "two.vmdk"])
            {
                archive.WriteEntry(_session.File(name), name);
            }
        }

        SessionResult result = _session.Run("$disks = Get-Qcow2Image box.ova; $disks | Export-Qcow2Report -DestinationPath ova.html; $disks.ForEach{ $_.DiskName }");
        Assert.Empty(result.Errors);
        Assert.Equal(2, result.Output.Count);
        string text = File.ReadAllText(_session.File("ova.html"));
        Assert.Equal(2, Regex.Count(text, "class=\"disk\""));
        Assert.Contains("box.ova: one.vmdk", text, StringComparison.Ordinal);
        Assert.DoesNotContain("no map", text, StringComparison.Ordinal);

        // The archive is another one by now: of its first disk the format says so, and the second is gone.
        using (var archive = new System.Formats.Tar.TarWriter(File.Create(_session.File("box.ova"))))
        {
            File.WriteAllText(_session.File("box.ovf"), "<Envelope><References><File id=\"a\" href=\"one.vmdk\"/></References><DiskSection><Disk diskId=\"1\" fileRef=\"a\"/></DiskSection></Envelope>");
            archive.WriteEntry(_session.File("box.ovf"), "box.ovf");
            archive.WriteEntry(_session.File("box.ovf"), "one.vmdk");
        }

        result = _session.Run("$disks | Export-Qcow2Report -DestinationPath ova.html -Force");
        Assert.Equal(2, result.Errors.Count);
        text = File.ReadAllText(_session.File("ova.html"));
        Assert.DoesNotContain("class=\"disk\"", text, StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(text, "There is no map of what lies where, and this is what was seen before"));
    }

    [Fact]
    public void What_an_object_says_is_shown_where_its_file_is_not()
    {
        _session.With("snapshots", "zstd");
        SessionResult result = _session.Run("""
            Get-Qcow2Image snapshots.qcow2, zstd.qcow2 | Export-Clixml images.xml
            Remove-Item snapshots.qcow2
            $far = Import-Clixml images.xml | Select-Object -Last 1
            $far.Path = 'C:\VMs\far.qcow2'
            $far | Add-Member PSComputerName 'kvm<b>01'
            Import-Clixml images.xml | Export-Qcow2Report -DestinationPath gone.html
            $far | Export-Qcow2Report -DestinationPath far.html
            """);
        Assert.Empty(result.Errors);
        string text = File.ReadAllText(_session.File("gone.html"));
        Assert.Equal(["not here"], StatesOf(text, "snapshots.qcow2"));
        Assert.Empty(StatesOf(text, "zstd.qcow2"));
        Assert.Single(Regex.Matches(text, "class=\"disk\"")); // Of the one that is here.
        Assert.Contains("no map", text, StringComparison.Ordinal);
        Assert.Contains("<h4>Snapshots</h4>", text, StringComparison.Ordinal);
        text = File.ReadAllText(_session.File("far.html"));
        Assert.Equal(["not here"], StatesOf(text, "far.qcow2"));
        Assert.Contains("kvm&lt;b&gt;01", text, StringComparison.Ordinal);
        Assert.Contains("C:\\VMs", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_destination_is_treated_as_by_every_cmdlet()
    {
        _session.With("zstd");
        File.WriteAllText(_session.File("report.html"), "old");
        Assert.Equal(["DestinationExists"], _session.Run("Export-Qcow2Report zstd.qcow2 report.html").ErrorIds);
        Assert.Equal(["DestinationFolderNotFound"], _session.Run("Export-Qcow2Report zstd.qcow2 nowhere/report.html").ErrorIds);
        _session.Run("Export-Qcow2Report zstd.qcow2 report.html -Force -WhatIf; Export-Qcow2Report zstd.qcow2 new.html -WhatIf");
        Assert.Equal("old", Read());
        Assert.False(File.Exists(_session.File("new.html")));
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(_session.File("report.html"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        }

        SessionResult result = _session.Run("Export-Qcow2Report zstd.qcow2 report.html -Force");
        Assert.Empty(result.Errors);
        Assert.Empty(result.Output);
        Assert.StartsWith("<!DOCTYPE html>", Read(), StringComparison.Ordinal);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(_session.File("report.html")) == (UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead));
    }

    [Theory]
    [InlineData("Export-Qcow2Report zstd.qcow2 zstd.qcow2 -Force", "DestinationIsImage")]
    [InlineData("Export-Qcow2Report zstd.qcow2 other.qcow2 -Force", "DestinationIsImage")]
    [InlineData("Export-Qcow2Report zstd.qcow2 disk.img -Force", "DestinationIsImage")]
    [InlineData("Export-Qcow2Report raw.html raw.html -SourceFormat Raw -Force", "DestinationIsSource")]
    [InlineData("Export-Qcow2Report top.qcow2 raw.html -Force", "DestinationIsSource")]
    public void No_disk_is_lost_to_a_report(string script, string id)
    {
        _session.With("zstd");
        File.Copy(_session.File("zstd.qcow2"), _session.File("other.qcow2"));
        File.WriteAllBytes(_session.File("disk.img"), new byte[4096]);
        File.WriteAllBytes(_session.File("raw.html"), new byte[4096]);
        Assert.Empty(_session.Run("New-Qcow2Image top.qcow2 -BackingFile raw.html -BackingFormat raw > $null").Errors);
        string[] before = Sums();
        Assert.Equal([id], _session.Run(script).ErrorIds);
        Assert.Equal(before, Sums());
    }

    [Fact]
    public void The_report_of_yesterday_is_no_image_of_todays()
    {
        _session.With("zstd");
        for (int day = 0; day < 2; day++)
        {
            Assert.Empty(_session.Run("Get-ChildItem -File | Export-Qcow2Report -DestinationPath report.html -Force").Errors);
            Assert.Equal(1, Regex.Count(Read(), "<article "));
        }
    }

    [LinuxFact]
    public void An_image_in_use_is_shown_as_it_is_and_not_checked()
    {
        _session.With("zstd");
        using Qcow2Image machine = Qcow2Image.Open(_session.File("zstd.qcow2"), new Qcow2OpenOptions { Writable = true });
        string text = Report("-Path zstd.qcow2 -Check");
        Assert.Equal(["in use"], StatesOf(text, "zstd.qcow2"));
        Assert.Contains("Not checked, because another program is writing it.", text, StringComparison.Ordinal);
        Assert.Contains("class=\"disk\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fleet_stays_small()
    {
        // What is kept of an image is bounded however much it says.
        Assert.Empty(_session.Run("""
            $long = 'x' * 60000
            $snapshots = @(1..150 | ForEach-Object { [Qcow2.Engine.Qcow2Snapshot] @{ Id = "$_"; Name = $long; CreationTime = (Get-Date 2026-01-01).AddDays($_) } })
            $fleet = @(1..50 | ForEach-Object { [Qcow2.Engine.Qcow2ImageInfo] @{ Path = "/gone/$_.qcow2"; Size = 1GB; BackingFile = $long; Problems = @($long) * 50; Snapshots = $snapshots } })
            """).Errors);
        string text = Report("-InputObject $fleet");
        Assert.Equal(50, Regex.Count(text, "<article "));
        Assert.Contains("50 older ones are left out.", text, StringComparison.Ordinal);
        Assert.InRange(text.Length, 1_000_000, 8_000_000);
    }

    [Fact]
    public void What_is_stopped_writes_nothing()
    {
        _session.With("zstd");
        using System.Management.Automation.PowerShell shell = _session.Start("& { 'zstd.qcow2'; Start-Sleep 60 } | Export-Qcow2Report -DestinationPath report.html");
        IAsyncResult run = shell.BeginInvoke();
        Assert.False(run.AsyncWaitHandle.WaitOne(TimeSpan.FromSeconds(0.5)));
        shell.Stop();
        Assert.Equal(["zstd.qcow2"], Directory.GetFileSystemEntries(_session.Folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Nothing_is_a_report_too()
    {
        Assert.Empty(_session.Run("@() | Export-Qcow2Report -DestinationPath report.html").Errors);
        Assert.Contains("There are none.", Read(), StringComparison.Ordinal);
    }

    private string Report(string parameters)
    {
        SessionResult result = _session.Run($"Export-Qcow2Report {parameters} -DestinationPath report.html -Force");
        Assert.Empty(result.Errors);
        return Read();
    }

    private string Read() => File.ReadAllText(_session.File("report.html"));

    private string[] Sums() => [.. Directory.GetFiles(_session.Folder.Path).Order(StringComparer.Ordinal).Select(file => $"{file} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)))}")];

    /// <summary>The badges that the table has for an image.</summary>
    private static string[] StatesOf(string report, string name)
    {
        string row = Assert.Single(report[..report.IndexOf("</table>", StringComparison.Ordinal)].Split("<tr>"), part => part.Contains($"<bdi>{name}</bdi></a>", StringComparison.Ordinal) && part.Contains("scope=\"row\"", StringComparison.Ordinal));
        return [.. Regex.Matches(row, "<span class=\"badge [a-z]+\"><span[^>]*>.</span>([^<]*)</span>").Select(match => match.Groups[1].Value)];
    }
}
