using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Formats.Qcow2.Writing;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Creation;

/// <summary>New images that are encrypted, by us and by qemu, read and written by the other.</summary>
public sealed class EncryptedImageTests : IDisposable
{
    private const string Text = "correct horse";
    private const int Size = 1 << 20;

    private readonly TempFolder _folder = new();
    private readonly Passphrase _passphrase = Passphrase.FromString(Text);

    public void Dispose()
    {
        _passphrase.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<string, Qcow2CreateOptions> Layouts => new()
    {
        { "default", new() },
        { "version-2", new() { Version = 2 } },
        { "small-clusters", new() { ClusterSize = 512, RefcountBits = 1 } },
        { "big-clusters", new() { ClusterSize = 2 << 20 } },
        { "extended-l2", new() { ClusterSize = 16384, ExtendedL2 = true } },
        { "zstd", new() { CompressionType = CompressionType.Zstd } },
        { "data-file", new() { DataFile = "data.bin" } },
        { "metadata", new() { Preallocation = Preallocation.Metadata } },
        { "falloc-extended-l2", new() { Preallocation = Preallocation.Falloc, ExtendedL2 = true } },
        { "metadata-data-file", new() { Preallocation = Preallocation.Metadata, DataFile = "data.bin" } },
        { "full", new() { Preallocation = Preallocation.Full } },
        { "full-version-2", new() { Preallocation = Preallocation.Full, Version = 2 } },
    };

    [Theory, MemberData(nameof(Layouts), DisableDiscoveryEnumeration = true)]
    public void Qemu_and_we_write_in_turn_what_the_other_reads(string name, Qcow2CreateOptions layout)
    {
        string path = _folder.File($"{name}.qcow2");
        byte[] expected = new byte[Size];
        using (Qcow2Image image = Qcow2Image.Create(path, Size, Encrypted(layout)))
        {
            Assert.Equal(expected, DiskModel.ReadAll(image));
            Write(image, expected, 1000, 70_000, 0xA1);
            Write(image, expected, Size - 5000, 5000, 0xA2);
        }

        AssertEqual(path, expected);
        if (QemuImg.IsAvailable && layout.DataFile is null)
        {
            QemuImg.RunIo([.. QemuSource(path), "-c", "write -P 0xb1 200k 100k", "-c", "write -P 0xb2 60k 1k"]);
            expected.AsSpan(200 << 10, 100 << 10).Fill(0xB1);
            expected.AsSpan(60 << 10, 1 << 10).Fill(0xB2);
            AssertEqual(path, expected);
        }

        using (Qcow2Image image = Open(path))
        {
            Write(image, expected, 250_000, 512, 0xA3);
            image.WriteZeroes(900_000, 10_000);
            expected.AsSpan(900_000, 10_000).Clear();
        }

        AssertEqual(path, expected);
    }

    [Fact]
    public void Header_is_laid_out_as_qemus_own()
    {
        LuksInfo ours = Qcow2ImageInfo.Read(Create(new())).Luks!;
        Fixture fixture = Fixtures.Get("luks");
        LuksInfo qemus = Qcow2ImageInfo.Read(fixture.Path).Luks!;

        Assert.Equal(
            (qemus.CipherAlgorithm, qemus.CipherMode, qemus.IvGeneratorAlgorithm, qemus.HashAlgorithm, qemus.PayloadOffset),
            (ours.CipherAlgorithm, ours.CipherMode, ours.IvGeneratorAlgorithm, ours.HashAlgorithm, ours.PayloadOffset));
        Assert.Equal(qemus.Slots.Select(slot => (slot.IsActive, slot.KeyOffset)), ours.Slots.Select(slot => (slot.IsActive, slot.KeyOffset)));
        Assert.NotEqual(qemus.Uuid, ours.Uuid);
    }

    [QemuFact]
    public void Qemu_says_of_the_header_what_we_say()
    {
        string path = Create(new());
        QemuLuks.AssertSameAsQemu(path, Qcow2ImageInfo.Read(path).Luks!);
    }

    [Fact]
    public void Overlay_of_a_plain_image_is_encrypted()
    {
        byte[] expected = new byte[Size];
        using (Qcow2Image backing = Qcow2Image.Create(_folder.File("base.qcow2"), Size))
        {
            Write(backing, expected, 0, 200_000, 0x31);
        }

        string path = _folder.File("overlay.qcow2");
        using (Qcow2Image image = Qcow2Image.Create(path, null, Encrypted(new() { BackingFile = "base.qcow2", BackingFormat = "qcow2" })))
        {
            Write(image, expected, 100_000, 600, 0x32);
        }

        AssertEqual(path, expected);
        Assert.Equal(-1, File.ReadAllBytes(path).AsSpan().IndexOf(Enumerable.Repeat((byte)0x32, 64).ToArray()));
    }

    [Fact]
    public void Two_images_of_one_passphrase_have_nothing_in_common()
    {
        byte[] first = Area(Create(new(), "first.qcow2"), out _);
        byte[] second = Area(Create(new(), "second.qcow2"), out _);
        LuksHeader one = LuksHeader.Parse(first, first.Length), two = LuksHeader.Parse(second, second.Length);

        Assert.NotEqual(one.MasterKeySalt, two.MasterKeySalt);
        Assert.NotEqual(one.MasterKeyDigest, two.MasterKeyDigest);
        Assert.NotEqual(one.KeySlots[0].Salt, two.KeySlots[0].Salt);
        int material = (int)one.KeySlots[0].KeyMaterialOffset;
        Assert.NotEqual(first.AsSpan(material, 4096).ToArray(), second.AsSpan(material, 4096).ToArray());
    }

    [Fact]
    public void Other_passphrase_does_not_open_it()
    {
        string path = Create(new());
        using var other = Passphrase.FromString("wrong horse");
        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, Assert.Throws<Qcow2Exception>(() => Qcow2Image.Open(path, new() { Passphrase = other })).Code);
    }

    [Fact]
    public void Iterations_follow_from_the_time()
    {
        LuksHash hash = LuksHash.Resolve("sha256", "");
        uint none = LuksIterations.ForSlot(hash, 64, TimeSpan.Zero, default);
        uint little = LuksIterations.ForSlot(hash, 64, TimeSpan.FromMilliseconds(400), default);
        uint much = LuksIterations.ForSlot(hash, 64, TimeSpan.FromHours(10), default);

        Assert.Equal(LuksIterations.MinSlot, none);
        Assert.InRange(little, LuksIterations.MinSlot + 1, LuksHeader.MaxIterations - 1);
        Assert.Equal(LuksHeader.MaxIterations, much);
    }

    public static TheoryData<string, Qcow2CreateOptions> Contradictions => new()
    {
        { "legacy AES", new() { Encryption = EncryptionMethod.Aes } },
        { "no encryption method 7", new() { Encryption = (EncryptionMethod)7 } },
        { "less than no time", new() { Encryption = EncryptionMethod.Luks, KeyDerivationTime = TimeSpan.FromSeconds(-1) } },
        { "no raw image", new() { Encryption = EncryptionMethod.Luks, DataFile = "d", DataFileRaw = true } },
        { "Use version 3", new() { Encryption = EncryptionMethod.Luks, Version = 2, Preallocation = Preallocation.Metadata } },
        { "say which encryption", new() },
    };

    [Theory, MemberData(nameof(Contradictions), DisableDiscoveryEnumeration = true)]
    public void Contradictions_are_refused(string said, Qcow2CreateOptions options)
    {
        ArgumentException error = Assert.Throws<ArgumentException>(
            () => Qcow2Image.CreateFile(_folder.File("x.qcow2"), Size, options with { Passphrase = _passphrase }));
        Assert.Contains(said, error.Message);
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void Passphrase_is_needed_and_not_empty()
    {
        using var empty = Passphrase.FromString("");
        foreach (Passphrase? passphrase in (Passphrase?[])[null, empty])
        {
            var options = new Qcow2CreateOptions { Encryption = EncryptionMethod.Luks, Passphrase = passphrase };
            Assert.Contains("needs a passphrase", Assert.Throws<ArgumentException>(() => Qcow2Image.CreateFile(_folder.File("x"), Size, options)).Message);
        }
    }

    [Fact]
    public void Guest_data_never_lands_on_the_encryption_header()
    {
        string path = Create(new());
        long encryption = Qcow2ImageInfo.Read(path).Header!.Extension<EncryptionHeaderExtension>()!.Offset;
        using (Qcow2Image image = Open(path))
        {
            image.Write(0, new byte[512]);
        }

        // The first cluster of the disk, mapped to where the key is.
        Qcow2Header header = Qcow2ImageInfo.Read(path).Header!;
        using (FileStream file = File.Open(path, FileMode.Open))
        {
            byte[] entry = new byte[8];
            file.Position = header.L1TableOffset;
            file.ReadExactly(entry);
            file.Position = (long)(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(entry) & L2Entry.OffsetMask);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(entry, L2Entry.Standard(encryption, isCopied: true).Value);
            file.Write(entry);
        }

        Qcow2Image damaged = Open(path);
        Assert.Contains("the encryption header", Assert.ThrowsAny<Qcow2Exception>(() => damaged.Write(0, new byte[512])).Message);
        Assert.Equal(Qcow2ErrorCode.ImageCorrupt, Assert.Throws<Qcow2Exception>(damaged.Dispose).Code);

        using var again = Qcow2Image.Open(path, new() { Passphrase = _passphrase });
        Assert.True(again.Header.Has(IncompatibleFeatures.Corrupt));
    }

    private static string[] QemuSource(string path)
        => ["--object", QemuLuks.Secret("s", Text), "--image-opts", $"driver=qcow2,file.filename={path},encrypt.key-secret=s"];

    private static void Write(Qcow2Image image, byte[] expected, int offset, int length, byte value)
    {
        expected.AsSpan(offset, length).Fill(value);
        image.Write(offset, expected.AsSpan(offset, length));
    }

    private Qcow2CreateOptions Encrypted(Qcow2CreateOptions layout) => layout with
    {
        Encryption = EncryptionMethod.Luks,
        Passphrase = _passphrase,
        KeyDerivationTime = TimeSpan.Zero,
    };

    private string Create(Qcow2CreateOptions layout, string name = "image.qcow2")
    {
        Qcow2Image.CreateFile(_folder.File(name), Size, Encrypted(layout));
        return _folder.File(name);
    }

    private Qcow2Image Open(string path) => Qcow2Image.Open(path, new() { Writable = true, Passphrase = _passphrase });

    private void AssertEqual(string path, byte[] expected)
    {
        using (Qcow2Image image = Qcow2Image.Open(path, new() { Passphrase = _passphrase }))
        {
            Assert.Equal(expected, DiskModel.ReadAll(image));
        }

        (int corruptions, int leaks, string output) = QemuJudge.Check(path, Text);
        Assert.True(corruptions == 0 && leaks == 0, output);
        if (QemuJudge.Read(path, _folder, Text) is byte[] byQemu)
        {
            Assert.Equal(expected, byQemu);
        }
    }

    private static byte[] Area(string path, out long length)
    {
        EncryptionHeaderExtension extension = Qcow2ImageInfo.Read(path).Header!.Extension<EncryptionHeaderExtension>()!;
        length = extension.HeaderLength;
        return File.ReadAllBytes(path)[(int)extension.Offset..(int)(extension.Offset + length)];
    }
}
