using System.Formats.Tar;
using System.Management.Automation;
using System.Security.Cryptography;
using System.Text;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Disks in an OVA, beside what its manifest says of them, here and on a server. tests/Pester/Packed.Tests.ps1 has what the real programs made.</summary>
public sealed class OvaTests : IDisposable
{
    private readonly ModuleSession _session = new();
    private readonly byte[] _disk = new byte[3 << 20];
    private readonly byte[] _vmdk;

    public OvaTests()
    {
        new Random(1).NextBytes(_disk.AsSpan(1 << 20, 1_000_000));
        File.WriteAllBytes(_session.File("disk.raw"), _disk);
        Ok("Convert-Qcow2Image disk.raw disk.vmdk -DestinationType StreamOptimized; Remove-Item disk.raw");
        _vmdk = File.ReadAllBytes(_session.File("disk.vmdk"));
        File.Delete(_session.File("disk.vmdk"));
        Directory.CreateDirectory(_session.File("out"));
    }

    public void Dispose() => _session.Dispose();

    [Fact]
    public void A_disk_with_the_sum_of_the_manifest_is_converted_and_that_is_said()
    {
        Ova("right.ova", $"SHA256(disk.vmdk)= {Hex(SHA256.HashData(_vmdk))}\n");
        SessionResult result = Ok("Convert-Qcow2Image right.ova out/disk.raw -Verbose");
        Assert.Equal(_disk, File.ReadAllBytes(_session.File("out/disk.raw")));
        Assert.Contains(result.Verbose, line => line.Contains("right.ova: 'disk.vmdk' has the sum that the manifest in the archive says", StringComparison.Ordinal));
        Assert.Empty(result.Warnings);
    }

    [Theory]
    [InlineData("Convert-Qcow2Image wrong.ova out/disk.qcow2")]
    [InlineData("Convert-Qcow2Image wrong.ova out/disk.vhdx -Confirm:$false")]
    [InlineData("Get-Qcow2Image wrong.ova | Convert-Qcow2Image -DestinationPath out/disk.raw")]
    [InlineData("Convert-Qcow2Image wrong.ova, wrong.ova out/disk.raw -Concatenate")]
    public void A_disk_with_another_sum_is_an_error_that_leaves_nothing(string command)
    {
        Ova("wrong.ova", $"SHA256(box.ovf)= 00\nSHA256(disk.vmdk)= {new string('0', 64)}\n");
        ErrorRecord error = _session.Run(command).Errors[0];
        Assert.StartsWith("ManifestMismatch,", error.FullyQualifiedErrorId, StringComparison.Ordinal);
        Assert.Equal(ErrorCategory.InvalidData, error.CategoryInfo.Category);
        string message = error.Exception.Message;
        foreach (string part in (string[])["wrong.ova", "'disk.vmdk'", $"sha256:{new string('0', 64)}", $"sha256:{Hex(SHA256.HashData(_vmdk))}", "get the archive again", "-Salvage"])
        {
            Assert.Contains(part, message, StringComparison.Ordinal);
        }

        Assert.Empty(Directory.GetFileSystemEntries(_session.File("out")));
    }

    [Fact]
    public void Who_insists_salvages_and_who_only_asks_is_not_kept()
    {
        Ova("wrong.ova", $"SHA256(disk.vmdk)= {new string('0', 64)}\n");
        SessionResult result = Ok("Convert-Qcow2Image wrong.ova out/disk.raw -Salvage");
        Assert.Contains("get the archive again", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Assert.Equal(_disk, File.ReadAllBytes(_session.File("out/disk.raw")));
        result = Ok("Convert-Qcow2Image wrong.ova out/other.raw -WhatIf; Get-Qcow2Image wrong.ova; Read-Qcow2Image wrong.ova -Offset 0 -Count 1 > $null");
        Assert.Empty(result.Warnings);
        Assert.False(File.Exists(_session.File("out/other.raw")));
    }

    [Theory]
    [InlineData(null, "There is no manifest in the archive")]
    [InlineData("SHA256(box.ovf)= 00\n", "has no line for 'disk.vmdk'")]
    public void What_nobody_says_is_said_to_who_wants_to_know(string? manifest, string said)
    {
        Ova("box.ova", manifest);
        SessionResult result = Ok("Convert-Qcow2Image box.ova out/disk.raw -Verbose");
        Assert.Empty(result.Warnings);
        Assert.Contains(result.Verbose, line => line.Contains(said, StringComparison.Ordinal));
        Assert.Empty(Check("Test-Qcow2Image box.ova").Findings);
    }

    [Fact]
    public void A_sum_of_a_kind_that_is_not_known_is_a_warning()
    {
        Ova("box.ova", "WHIRLPOOL(disk.vmdk)= 00\n");
        Assert.Contains("WHIRLPOOL", Assert.Single(Ok("Convert-Qcow2Image box.ova out/disk.raw").Warnings), StringComparison.Ordinal);
        Assert.Equal(_disk, File.ReadAllBytes(_session.File("out/disk.raw")));
        SessionResult result = Ok("Test-Qcow2Image box.ova");
        Assert.Contains("WHIRLPOOL", Assert.Single(result.Warnings), StringComparison.Ordinal);
        Qcow2CheckResult check = Assert.Single(result.Of<Qcow2CheckResult>());
        Assert.Equal((Qcow2CheckFindingKind.ManifestNotCompared, Qcow2CheckSeverity.Information), (Assert.Single(check.Findings).Kind, check.Findings[0].Severity));
        Assert.True(check.IsHealthy);
    }

    [Fact]
    public void A_check_says_what_the_manifest_says()
    {
        Ova("right.ova", $"SHA384(disk.vmdk)= {Hex(SHA384.HashData(_vmdk))}\n");
        Qcow2CheckResult right = Check("Test-Qcow2Image right.ova");
        Assert.Equal((Qcow2CheckFindingKind.ManifestMatches, Qcow2CheckSeverity.Information), (Assert.Single(right.Findings).Kind, right.Findings[0].Severity));
        Assert.Equal((true, 0L, 1L), (right.IsHealthy, right.Corruptions, right.FindingCount));

        Ova("wrong.ova", $"SHA512(disk.vmdk)= {new string('0', 128)}\n");
        Qcow2CheckResult wrong = Check("Test-Qcow2Image wrong.ova");
        Assert.Equal((Qcow2CheckFindingKind.ManifestMismatch, Qcow2CheckSeverity.Corruption), (Assert.Single(wrong.Findings).Kind, wrong.Findings[0].Severity));
        Assert.Equal((false, 1L, 1L), (wrong.IsHealthy, wrong.Corruptions, wrong.FindingCount));
        Assert.Equal(["True", "False"], Ok("Test-Qcow2Image right.ova, wrong.ova -Quiet").Output.Select(item => item.ToString()));

        // What is no image any more is not called another format, but what it is.
        byte[] archive = File.ReadAllBytes(_session.File("right.ova"));
        archive[archive.AsSpan().IndexOf(_vmdk)] ^= 1;
        File.WriteAllBytes(_session.File("damaged.ova"), archive);
        Assert.StartsWith("ManifestMismatch,", Assert.Single(_session.Run("Test-Qcow2Image damaged.ova").Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_disk_on_a_server_comes_once_into_a_temporary_file(bool isRight)
    {
        Ova("box.ova", $"SHA256(disk.vmdk)= {(isRight ? Hex(SHA256.HashData(_vmdk)) : new string('0', 64))}\n");
        using var server = new HttpTestServer(File.ReadAllBytes(_session.File("box.ova")));
        SessionResult result = _session.Run($"Convert-Qcow2Image -NoProxy -Uri '{server.Address("/box.ova")}' out/disk.raw -Verbose");
        string[] expected = isRight ? [_session.File("out/disk.raw")] : [];
        Assert.Equal(expected, Directory.GetFileSystemEntries(_session.File("out")));
        Assert.Equal(isRight ? [] : ["ManifestMismatch"], result.ErrorIds);
        if (isRight)
        {
            Assert.Equal(_disk, File.ReadAllBytes(_session.File("out/disk.raw")));
            Assert.Contains(result.Verbose, line => line.Contains("downloaded for that, into a temporary file", StringComparison.Ordinal));
        }

        long[] first = [.. server.Requests.Select(request => request.Range!.Value.First)];
        Assert.Equal(first.Distinct(), first);
        Assert.Equal(server.Content.Length, server.Requests.Sum(request => Math.Min(request.Range!.Value.Last + 1, server.Content.Length) - request.Range!.Value.First));
    }

    [Fact]
    public void A_check_on_a_server_reads_all_of_a_disk_only_where_all_data_is_asked_for()
    {
        byte[] disk = new byte[24 << 20];
        new Random(2).NextBytes(disk);
        File.WriteAllBytes(_session.File("large.raw"), disk);
        Ok("Convert-Qcow2Image large.raw large.vmdk");
        byte[] vmdk = File.ReadAllBytes(_session.File("large.vmdk"));
        Ova("box.ova", $"SHA256(disk.vmdk)= {new string('0', 64)}\n", vmdk);
        using var server = new HttpTestServer(File.ReadAllBytes(_session.File("box.ova")));
        Qcow2CheckResult check = Check($"Test-Qcow2Image -NoProxy -Uri '{server.Address("/box.ova")}'");
        Assert.Equal(Qcow2CheckFindingKind.ManifestNotCompared, Assert.Single(check.Findings).Kind);
        Assert.True(check.IsHealthy);
        Assert.InRange(server.Requests.Sum(request => request.Range!.Value.Last + 1 - request.Range!.Value.First), 1, vmdk.Length / 2);
        Assert.Equal(Qcow2CheckFindingKind.ManifestMismatch, Assert.Single(Check($"Test-Qcow2Image -NoProxy -Uri '{server.Address("/box.ova")}' -ReadData").Findings).Kind);
    }

    private static string Hex(byte[] hash) => Convert.ToHexStringLower(hash);

    /// <summary>Makes an OVA, with the manifest at its end, as it is where an archive was written in one go.</summary>
    private void Ova(string name, string? manifest, byte[]? vmdk = null)
    {
        using var archive = new TarWriter(File.Create(_session.File(name)), TarEntryFormat.Ustar);
        void Add(string file, byte[] content) => archive.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, file) { DataStream = new MemoryStream(content) });
        Add("box.ovf", Encoding.UTF8.GetBytes(
            "<?xml version=\"1.0\"?><Envelope xmlns=\"http://schemas.dmtf.org/ovf/envelope/1\" xmlns:ovf=\"http://schemas.dmtf.org/ovf/envelope/1\"><References>"
            + "<File ovf:id=\"a\" ovf:href=\"disk.vmdk\"/></References><DiskSection><Disk ovf:diskId=\"1\" ovf:fileRef=\"a\"/></DiskSection></Envelope>"));
        Add("disk.vmdk", vmdk ?? _vmdk);
        if (manifest is not null)
        {
            Add("box.mf", Encoding.UTF8.GetBytes(manifest));
        }
    }

    private Qcow2CheckResult Check(string script) => Assert.Single(Ok(script).Of<Qcow2CheckResult>());

    private SessionResult Ok(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return result;
    }
}
