using System.Security.Cryptography;
using System.Text.Json;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Infrastructure;

/// <summary>The fixtures are there, unpack, and are what their expected files say.</summary>
public sealed class FixturesTests
{
    public static TheoryData<string> Names => Fixtures.Names;

    public static TheoryData<string> Hashed => Fixtures.Select(fixture => fixture.DiskSha256 is not null);

    [Theory, MemberData(nameof(Names))]
    public void Fixture_is_a_qcow2_file_with_its_expectations(string name)
    {
        Fixture fixture = Fixtures.Get(name);
        Assert.Equal("QFI"u8, File.ReadAllBytes(fixture.Path).AsSpan(0, 3));
        Assert.Equal(fixture.Error is null, fixture.HasInfo);
        foreach (string? code in (string?[])[fixture.Error, fixture.ReferenceError])
        {
            Assert.True(code is null || Enum.IsDefined(Enum.Parse<Qcow2ErrorCode>(code)), code);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Copy_brings_the_references_along(string name)
    {
        using var folder = new TempFolder();
        Fixture fixture = Fixtures.Get(name);
        string copy = fixture.CopyTo(folder);
        Assert.Equal(File.ReadAllBytes(fixture.Path), File.ReadAllBytes(copy));
        if (name == "sub-overlay")
        {
            Assert.True(File.Exists(folder.File("chain-base.qcow2")));
        }
    }

    [Fact]
    public void Every_expected_file_belongs_to_a_fixture()
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "Fixtures", "expected");
        string[] strays = [.. Directory.EnumerateFiles(folder).Select(Path.GetFileName).Where(
            file => !Fixtures.All.Any(fixture => file!.StartsWith(fixture.Name + ".", StringComparison.Ordinal))).Select(file => file!)];
        Assert.Empty(strays);
    }

    [Fact]
    public void There_are_fixtures_of_every_kind()
    {
        Assert.NotEmpty(Fixtures.Refused);
        Assert.NotEmpty(Fixtures.ReferenceRefused);
        Assert.NotEmpty(Fixtures.WithMap);
        Assert.NotEmpty(Fixtures.WithSnapshots);
        Assert.NotEmpty(Fixtures.Encrypted);
        Assert.True(Fixtures.All.Count(fixture => fixture.DiskSha256 is not null) > 60);
        Assert.Equal(["first", "second", "third"], Fixtures.Get("luks-slots").Passphrases);
        Assert.Equal(3, Fixtures.Get("sparse-1t").RangeSha256.Count);
    }

    [QemuTheory, MemberData(nameof(Hashed))]
    public void Hash_is_what_qemu_img_reads(string name)
    {
        using var folder = new TempFolder();
        Fixture fixture = Fixtures.Get(name);
        string raw = folder.File("content.raw");
        string[] source = fixture.Passphrase is null
            ? ["-f", "qcow2", fixture.File]
            : ["--object", $"secret,id=key,data={fixture.Passphrase}", "--image-opts", $"driver=qcow2,file.filename={fixture.File},encrypt.key-secret=key"];
        QemuImg.RunIn(Fixtures.Root, ["convert", "-U", "-O", "raw", .. source, raw]);

        using FileStream stream = File.OpenRead(raw);
        Assert.Equal(fixture.DiskSha256, Convert.ToHexStringLower(SHA256.HashData(stream)));
        using JsonDocument info = fixture.ReadInfo();
        Assert.Equal(info.RootElement.GetProperty("virtual-size").GetInt64(), stream.Length);
    }
}
