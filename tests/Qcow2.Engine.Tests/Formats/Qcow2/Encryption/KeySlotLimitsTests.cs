using System.Buffers.Binary;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Tests;
using static Qcow2.Engine.Tests.Formats.Qcow2.Encryption.KeySlotImage;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

/// <summary>Images whose key slots are not changed: those that have none, and those that lie about them. Not a byte is written.</summary>
public sealed class KeySlotLimitsTests
{
    public static TheoryData<string, Qcow2ErrorCode, string> Lies => new()
    {
        { "l1", Qcow2ErrorCode.ImageCorrupt, "the active L1 table" },
        { "l2", Qcow2ErrorCode.ImageCorrupt, "an L2 table" },
        { "refcounts", Qcow2ErrorCode.ImageCorrupt, "the refcount structure" },
        { "snapshots", Qcow2ErrorCode.ImageCorrupt, "the snapshot table" },
        { "shared", Qcow2ErrorCode.ImageCorrupt, "has the refcount 2" },
        { "free", Qcow2ErrorCode.ImageCorrupt, "has the refcount 0" },
        { "header", Qcow2ErrorCode.ImageCorrupt, "does not begin with the LUKS magic number" },
        { "past-end", Qcow2ErrorCode.ImageCorrupt, "does not fit in the file" },
        { "material-outside", Qcow2ErrorCode.ImageCorrupt, "do not fit in the LUKS header" },
        { "material-overlaps", Qcow2ErrorCode.ImageCorrupt, "overlap those of key slot" },
        { "material-in-header", Qcow2ErrorCode.ImageCorrupt, "inside the partition header" },
        { "corrupt", Qcow2ErrorCode.ImageCorrupt, "is marked corrupt" },
        { "serpent", Qcow2ErrorCode.UnsupportedFeature, "serpent" },
        { "incompatible", Qcow2ErrorCode.UnsupportedFeature, "feature" },
        { "hours", Qcow2ErrorCode.LimitExceeded, "iterations" },
    };

    [Theory, MemberData(nameof(Lies))]
    public void Lies_are_refused_before_a_byte_is_written(string lie, Qcow2ErrorCode code, string said)
    {
        using KeySlotImage image = new KeySlotImage().Fill(1);
        byte[] file = image.Content;
        Tell(file, lie);
        foreach (Action<MemoryStorage> change in (Action<MemoryStorage>[])
        [
            storage => ImageKeySlots.Add(storage, image["zero"], image["new"], Quick),
            storage => ImageKeySlots.Change(storage, image["zero"], image["new"], Quick with { Force = true }),
            storage => ImageKeySlots.Remove(storage, [1], force: true),
        ])
        {
            MemoryStorage storage = image.Storage();
            Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => change(storage));
            Assert.Equal(code, error.Code);
            Assert.Contains(said, error.Message);
            Assert.StartsWith("slots.qcow2: ", error.Message);
            AssertSame(file, storage.Content);
        }
    }

    [Fact]
    public void Features_that_others_keep_true_are_withdrawn()
    {
        using KeySlotImage image = new KeySlotImage();
        BinaryPrimitives.WriteUInt64BigEndian(image.Content.AsSpan(HeaderField.AutoclearFeatures), 1UL << 40);
        image.Fill(1);
        Assert.Equal(0, (long)Qcow2Header.Parse(image.Content).AutoclearFeatures);
    }

    [Theory]
    [InlineData("v3", "is not encrypted with LUKS")]
    [InlineData("aes", "legacy AES")]
    public void Images_without_key_slots_say_so(string fixture, string said)
    {
        using var folder = new TempFolder();
        string path = Fixtures.Get(fixture).CopyTo(folder);
        byte[] before = File.ReadAllBytes(path);
        using var passphrase = Passphrase.FromString("correct-horse");
        foreach (Action change in (Action[])
        [
            () => ImageKeySlots.Add(path, passphrase, passphrase),
            () => ImageKeySlots.Change(path, passphrase, passphrase),
            () => ImageKeySlots.Remove(path, [0], force: true),
            () => ImageKeySlots.Find(path, passphrase),
        ])
        {
            Assert.Contains(said, Assert.Throws<NotSupportedException>(change).Message);
        }

        Assert.Equal(before, File.ReadAllBytes(path));
    }

    [Fact]
    public void Image_that_is_in_use_is_left_alone()
    {
        using var folder = new TempFolder();
        string path = Fixtures.Get("luks").CopyTo(folder);
        using var passphrase = Passphrase.FromString(Fixtures.Get("luks").Passphrase!);
        using (Qcow2Image.Open(path))
        {
            Assert.Equal(Qcow2ErrorCode.ImageLocked, Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Add(path, passphrase, passphrase)).Code);
            Assert.Equal([0], ImageKeySlots.Find(path, passphrase));
        }
    }

    [Fact]
    public void Arguments_that_cannot_be_are_refused()
    {
        using KeySlotImage image = new KeySlotImage();
        MemoryStorage storage = image.Storage();
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageKeySlots.Add(storage, image["zero"], image["new"], Quick with { KeySlot = 8 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageKeySlots.Remove(storage, [-1]));
        Assert.Throws<ArgumentException>(() => ImageKeySlots.Add(storage, image["zero"], image[""], Quick));
        Assert.Throws<ArgumentException>(() => ImageKeySlots.Change(storage, image["zero"], image["new"], new KeySlotOptions { KeyDerivationTime = TimeSpan.FromTicks(-1) }));
        Assert.Equal(Qcow2ErrorCode.PassphraseIncorrect, Assert.Throws<Qcow2Exception>(() => ImageKeySlots.Add(storage, image["wrong"], image["new"], Quick)).Code);
        AssertSame(image.Content, storage.Content);
    }

    private static void Tell(byte[] file, string lie)
    {
        Qcow2Header header = Qcow2Header.Parse(file);
        long luks = Place(file).Offset;
        long first = luks >> header.ClusterBits;
        switch (lie)
        {
            case "l1":
                Be64(file, HeaderField.L1TableOffset, Moved(file, header.L1TableOffset, luks + header.ClusterSize));
                break;
            case "l2":
                Be64(file, (int)header.L1TableOffset, (ulong)(luks + header.ClusterSize) | (1UL << 63));
                break;
            case "refcounts":
                Be64(file, (int)header.RefcountTableOffset + 8, (ulong)(luks + (3 * header.ClusterSize)));
                break;
            case "snapshots":
                Be64(file, HeaderField.SnapshotsOffset, Moved(file, header.SnapshotsOffset, luks + (40 * header.ClusterSize)));
                break;
            case "shared":
                SetRefcount(file, header, first + 2, 2);
                break;
            case "free":
                SetRefcount(file, header, first + 5, 0);
                break;
            case "header":
                Be64(file, ExtensionAt(file), 0);
                break;
            case "past-end":
                Be64(file, ExtensionAt(file) + 8, (ulong)file.Length);
                break;
            case "material-outside":
                Be32(file, luks + 208 + (3 * 48) + 40, (uint)(Place(file).HeaderLength / 512));
                break;
            case "material-overlaps":
                Be32(file, luks + 208 + (3 * 48) + 40, 9);
                break;
            case "material-in-header":
                Be32(file, luks + 208 + (7 * 48) + 40, 1);
                break;
            case "corrupt":
                Be64(file, HeaderField.IncompatibleFeatures, (ulong)IncompatibleFeatures.Corrupt);
                break;
            case "serpent":
                "serpent\0"u8.CopyTo(file.AsSpan((int)luks + 8));
                break;
            case "incompatible":
                Be64(file, HeaderField.IncompatibleFeatures, 1UL << 50);
                break;
            case "hours":
                Be32(file, luks + 208 + 4, uint.MaxValue);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(lie));
        }
    }

    /// <summary>Copies a table to another place, where it is as good.</summary>
    private static ulong Moved(byte[] file, long from, long to)
    {
        file.AsSpan((int)from, 64).CopyTo(file.AsSpan((int)to));
        return (ulong)to;
    }

    private static void SetRefcount(byte[] file, Qcow2Header header, long cluster, ushort count)
    {
        long block = (long)(BinaryPrimitives.ReadUInt64BigEndian(file.AsSpan((int)header.RefcountTableOffset)) & ~0x1FFUL);
        BinaryPrimitives.WriteUInt16BigEndian(file.AsSpan((int)(block + (2 * cluster))), count);
    }

    private static int ExtensionAt(byte[] file)
        => file.AsSpan(0, 512).IndexOf((ReadOnlySpan<byte>)[0x05, 0x37, 0xbe, 0x77, 0, 0, 0, 16]) + 8;

    private static void Be64(byte[] file, int offset, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(file.AsSpan(offset), value);

    private static void Be32(byte[] file, long offset, uint value) => BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan((int)offset), value);
}
