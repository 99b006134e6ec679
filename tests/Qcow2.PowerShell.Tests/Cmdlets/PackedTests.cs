using System.IO.Compression;
using Qcow2.Engine;
using Qcow2.PowerShell.Tests.Infrastructure;

namespace Qcow2.PowerShell.Tests.Cmdlets;

/// <summary>Compressed disks, here and on a server. tests/Pester/Packed.Tests.ps1 has what the real programs packed.</summary>
public sealed class PackedTests : IDisposable
{
    /// <summary>300 lines and 3000 zeros, by xz -9e.</summary>
    private const string Lines =
        "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4BXVAQ1dADYaSh8IoCXB3pS6kMw7Kx81OvJf1Z5+c7Le6vfCLQQnMVvKDEf8ldIdW3ykSPjamraGPS5yX8qBD6MEmU+0TErz7LQZF1glZAp03R+qhGXcA+rC+wSWn1D3P0AzkZjOe0" +
        "yhx9gSiKScdGhYsWbMyqp7fQ9kgTf85xsAy4xoF/jyQEYRZ0gldaR0jaVjdfnz6nz6bcwn6GiFwsk7QkMk5CIIvu9hxTlP/E5PV/iagvYAed/rbsdecLu7FSSRLVQ4Ai4jYX9w3JDCBGntbN1hzPsSkEXuGfkVtg7bk56LJE8l" +
        "52E+I21hDFn2F8i8m/vsTpjmm+qMLrR6rC86iycrtWgENvwa6iErlwDzlygAAAAAAO5xBZ2gyjX3AAGpAtYrAADfiKGwscRn+wIAAAAABFla";

    private readonly ModuleSession _session = new();
    private readonly byte[] _disk = new byte[3 << 20];

    public PackedTests()
    {
        new Random(1).NextBytes(_disk.AsSpan(1 << 20, 100_000));
        File.WriteAllBytes(_session.File("disk.raw"), _disk);
        _session.With("snapshots");
        foreach (string name in (string[])["disk.raw", "snapshots.qcow2"])
        {
            using var packed = new GZipStream(File.Create(_session.File(name + ".gz")), CompressionLevel.Fastest);
            packed.Write(File.ReadAllBytes(_session.File(name)));
        }
    }

    public void Dispose() => _session.Dispose();

    [Theory]
    [InlineData("disk.raw.gz")]
    [InlineData("snapshots.qcow2.gz")]
    public void A_server_may_have_it_as_well(string name)
    {
        using var server = new HttpTestServer(File.ReadAllBytes(_session.File(name)));
        Ok($"Convert-Qcow2Image -NoProxy -Uri '{server.Address($"/images/{name}?sig=secret")}' there.raw");
        Ok($"Convert-Qcow2Image {name} here.raw");
        Assert.Equal(File.ReadAllBytes(_session.File("here.raw")), File.ReadAllBytes(_session.File("there.raw")));
        Qcow2ImageInfo there = Assert.Single(Ok($"Get-Qcow2Image -NoProxy -Uri '{server.Address($"/images/{name}?sig=secret")}'").Of<Qcow2ImageInfo>());
        Assert.Equal(("gzip", Path.GetFileNameWithoutExtension(name)), (there.PackedIn, there.DiskName));
    }

    [Fact]
    public void A_look_at_an_image_in_zstd_asks_for_its_start_only()
    {
        byte[] image = new byte[8 << 20];
        new Random(2).NextBytes(image);
        File.ReadAllBytes(_session.File("snapshots.qcow2")).CopyTo(image, 0);
        using var compressor = new ZstdSharp.Compressor();
        compressor.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
        using var server = new HttpTestServer(compressor.Wrap(image).ToArray());

        Assert.Equal("zstd", Assert.Single(Ok($"Get-Qcow2Image -NoProxy -Uri '{server.Address("/disk.qcow2.zst")}'").Of<Qcow2ImageInfo>()).PackedIn);

        Assert.All(server.Requests, request => Assert.True(request.Range is { Last: < 4 << 20 }, $"{request.Range}"));
    }

    [Theory]
    [InlineData("", "")]
    [InlineData("", "-BackingChain")]
    [InlineData(".gz", "")]
    [InlineData(".gz", "-BackingChain")]
    public void A_server_that_is_gone_is_no_damage(string extension, string how)
    {
        string path = _session.File("long.qcow2");
        Qcow2Image.CreateFile(path, 8 << 20);
        using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            byte[] data = new byte[2 << 20];
            new Random(3).NextBytes(data);
            image.Write(0, data);
        }

        // The snapshot's table lies in the middle: the start and the end are looked at for what the file is.
        Ok("Checkpoint-Qcow2Image long.qcow2 -SnapshotName before; Write-Qcow2Image long.qcow2 -Offset 4MB -Value ([byte[]] (,7 * 1MB)) -Confirm:$false");
        using (var packed = new GZipStream(File.Create(path + ".gz"), CompressionLevel.Fastest))
        {
            packed.Write(File.ReadAllBytes(path));
        }

        byte[] content = File.ReadAllBytes(path + extension);
        using var server = new HttpTestServer(content)
        {
            Answer = (request, reply) => request.Range is { Last: >= 1 << 20 } part && part.Last != content.Length - 1 ? new HttpTestReply { Status = "404 Not Found" } : reply,
        };
        SessionResult result = _session.Run($"Get-Qcow2Image -NoProxy -Uri '{server.Address("/long.qcow2" + extension)}' {how}");
        Assert.Empty(result.Output);
        Assert.StartsWith("HttpRequestFailed", Assert.Single(result.Errors).FullyQualifiedErrorId, StringComparison.Ordinal);
    }

    [Fact]
    public void What_says_its_length_comes_from_a_server_once_and_in_order()
    {
        using var server = new HttpTestServer(Convert.FromBase64String(Lines));
        SessionResult result = Ok($"Convert-Qcow2Image -NoProxy -Uri '{server.Address("/lines.raw.xz")}' lines.raw -SourceFormat Raw -Verbose");
        Assert.DoesNotContain(result.Verbose, line => line.Contains("temporary file", StringComparison.Ordinal));
        byte[] expected = [.. string.Concat(Enumerable.Range(0, 300).Select(n => $"line {n}\n")).Select(letter => (byte)letter), .. new byte[3000]];
        Assert.Equal(expected, File.ReadAllBytes(_session.File("lines.raw")));
    }

    [Fact]
    public void Unpacking_shows_its_progress_and_says_what_was_unpacked()
    {
        SessionResult result = Ok("Convert-Qcow2Image snapshots.qcow2.gz out.raw -Verbose");
        Assert.Contains(result.Verbose, line => line.Contains("unpacked into a temporary file", StringComparison.Ordinal));
        Assert.DoesNotContain(Ok("Convert-Qcow2Image disk.raw.gz other.raw -Verbose").Verbose, line => line.Contains("temporary file", StringComparison.Ordinal));
        Assert.Equal(_disk, File.ReadAllBytes(_session.File("other.raw")));
    }

    [Fact]
    public void Gzip_of_one_member_is_unpacked_once_and_of_several_once_more()
    {
        SessionResult result = Ok("Convert-Qcow2Image disk.raw.gz once.raw -Verbose");
        Assert.Contains(result.Verbose, line => line.Contains("3 MiB (3,145,728 bytes) were unpacked as they were read", StringComparison.Ordinal));
        Assert.DoesNotContain(result.Verbose, line => line.Contains("read again", StringComparison.Ordinal));
        Assert.Equal(_disk, File.ReadAllBytes(_session.File("once.raw")));

        byte[] one = File.ReadAllBytes(_session.File("disk.raw.gz"));
        File.WriteAllBytes(_session.File("two.raw.gz"), [.. one, .. one]);
        foreach (string command in (string[])
        [
            "Convert-Qcow2Image two.raw.gz two.raw -Verbose",
            "Convert-Qcow2Image two.raw.gz two.qcow2 -Compress -Verbose; Convert-Qcow2Image two.qcow2 two.raw -Force",
            "Convert-Qcow2Image two.raw.gz two.vhdx -Verbose; Convert-Qcow2Image two.vhdx two.raw -Force",
        ])
        {
            result = Ok(command);
            Assert.Single(result.Verbose, line => line.Contains("read again", StringComparison.Ordinal));
            Assert.Equal([.. _disk, .. _disk], File.ReadAllBytes(_session.File("two.raw")));
        }

        // Each of two that are joined may have more in it.
        result = Ok("Convert-Qcow2Image two.raw.gz, disk.raw.gz, two.raw.gz five.raw -Concatenate -Verbose");
        Assert.Equal(2, result.Verbose.Count(line => line.Contains("read again", StringComparison.Ordinal)));
        Assert.Equal([.. _disk, .. _disk, .. _disk, .. _disk, .. _disk], File.ReadAllBytes(_session.File("five.raw")));

        // What is written into stays written, so that nothing is guessed there.
        Ok($"New-Qcow2Image into.raw {6 << 20} > $null");
        result = Ok("Convert-Qcow2Image two.raw.gz into.raw -NoCreate -Verbose");
        Assert.DoesNotContain(result.Verbose, line => line.Contains("read again", StringComparison.Ordinal));
        Assert.Equal([.. _disk, .. _disk], File.ReadAllBytes(_session.File("into.raw")));
    }

    [Fact]
    public void Gzip_that_lies_of_its_length_is_damaged_and_leaves_nothing()
    {
        byte[] packed = File.ReadAllBytes(_session.File("disk.raw.gz"));
        Directory.CreateDirectory(_session.File("out"));
        foreach ((int at, string extension) in ((int, string)[])[(-4, "raw"), (-3, "qcow2"), (-8, "raw"), (-8, "vhdx"), (-60_000, "raw")])
        {
            byte[] lie = (byte[])packed.Clone();
            lie[lie.Length + at] ^= 16;
            File.WriteAllBytes(_session.File("lie.raw.gz"), lie);
            Assert.Equal(["PackedFileCorrupt"], _session.Run($"Convert-Qcow2Image lie.raw.gz out/lie.{extension}").ErrorIds);
            Assert.Empty(Directory.GetFileSystemEntries(_session.File("out")));
        }

        // Two members, of which the second is damaged: the first try says that there is more, the second what is wrong.
        byte[] two = [.. packed, .. packed];
        two[^6] ^= 1;
        File.WriteAllBytes(_session.File("lie.raw.gz"), two);
        Assert.Equal(["PackedFileCorrupt"], _session.Run("Convert-Qcow2Image lie.raw.gz out/lie.raw").ErrorIds);
        Assert.Equal(["UnpackedTooLarge"], _session.Run("Convert-Qcow2Image lie.raw.gz out/lie.raw -MaximumUnpackedSize 4MB").ErrorIds);
        Assert.Empty(Directory.GetFileSystemEntries(_session.File("out")));
    }

    [Fact]
    public void Snapshots_whose_table_lies_far_behind_the_start_are_seen()
    {
        string path = _session.File("far.qcow2");
        Qcow2Image.CreateFile(path, 64 << 20);
        using (Qcow2Image image = Qcow2Image.Open(path, new Qcow2OpenOptions { Writable = true }))
        {
            byte[] data = new byte[20 << 20];
            Array.Fill(data, (byte)7);
            image.Write(0, data);
        }

        Ok("Checkpoint-Qcow2Image far.qcow2 -SnapshotName before");
        using (var packed = new GZipStream(File.Create(path + ".gz"), CompressionLevel.Fastest))
        {
            packed.Write(File.ReadAllBytes(path));
        }

        SessionResult result = Ok("Get-Qcow2Image far.qcow2.gz");
        Assert.Empty(result.Warnings);
        Assert.Equal("before", Assert.Single(Assert.Single(result.Of<Qcow2ImageInfo>()).Snapshots).Name);
    }

    [Fact]
    public void A_partition_table_that_does_not_fit_is_said_of_a_disk_that_was_read_in_order()
    {
        SessionResult result = Ok("Convert-Qcow2Image disk.raw.gz out.vhdx -LogicalSectorSizeBytes 4096");
        Assert.Empty(result.Warnings);
        _disk[510] = 0x55;
        _disk[511] = 0xaa;
        _disk[450] = 0x83;
        _disk[455] = 8;
        _disk[459] = 8;
        using (var packed = new GZipStream(File.Create(_session.File("mbr.raw.gz")), CompressionLevel.Fastest))
        {
            packed.Write(_disk);
        }

        Assert.Contains(Ok("Convert-Qcow2Image mbr.raw.gz mbr.vhdx -LogicalSectorSizeBytes 4096").Warnings, line => line.Contains("sectors of 512 bytes", StringComparison.Ordinal));
    }

    private SessionResult Ok(string script)
    {
        SessionResult result = _session.Run(script);
        Assert.Empty(result.Errors);
        return result;
    }
}
