namespace Qcow2.Engine.Tests.Formats.Qcow2.Writing;

/// <summary>What a disk must hold, and random operations that keep a disk and the model alike.</summary>
internal sealed partial class DiskModel
{
    private readonly int _clusterSize;
    private readonly string _label;

    internal DiskModel(byte[] content, int clusterSize, int seed, string name)
    {
        Content = content;
        _clusterSize = clusterSize;
        Random = new Random(seed);
        _label = $"{name}, QCOW2_TEST_SEED={seed}";
    }

    internal byte[] Content { get; private set; }

    internal Random Random { get; }

    /// <summary>Reads a whole disk.</summary>
    internal static byte[] ReadAll(VirtualDisk disk)
    {
        byte[] content = new byte[disk.Length];
        Assert.Equal(content.Length, disk.Read(0, content));
        return content;
    }

    /// <summary>Writes at random; often small, sometimes over many clusters or up to the disk's end.</summary>
    internal void WriteSome(VirtualDisk disk)
    {
        (int offset, byte[] data) = NextWrite();
        disk.Write(offset, data);
        data.CopyTo(Content, offset);
    }

    /// <summary>Chooses a write; the model does not have it yet.</summary>
    internal (int Offset, byte[] Data) NextWrite()
    {
        int length = Random.Next(10) switch
        {
            < 4 => Random.Next(1, 700),
            < 6 => 512 * Random.Next(1, 9),
            < 8 => Random.Next(1, Math.Min(_clusterSize * 2, 1 << 19)),
            8 => Math.Min(_clusterSize, 1 << 21),
            _ => Random.Next(1, Math.Min(_clusterSize * 40, 1 << 19)),
        };
        length = Math.Min(length, Content.Length);
        return (NextOffset(length), NextData(length));
    }

    private int NextOffset(int length)
    {
        int offset = Random.Next(12) switch
        {
            0 => Content.Length - length,
            1 => 0,
            2 or 3 => Random.Next(Content.Length) / _clusterSize * _clusterSize,
            4 or 5 => Random.Next(Content.Length) & ~511,
            6 or 7 => Random.Next(Content.Length / 8 + 1),
            _ => Random.Next(Content.Length),
        };
        return Math.Min(offset, Content.Length - length);
    }

    private byte[] NextData(int length)
    {
        byte[] data = new byte[length];
        switch (Random.Next(8))
        {
            case 0:
                break;
            case 1:
                data.AsSpan().Fill((byte)Random.Next(256));
                break;
            default:
                Random.NextBytes(data);
                break;
        }

        return data;
    }

    /// <summary>Reads at random and compares.</summary>
    internal void ReadSome(VirtualDisk disk)
    {
        int length = Math.Min(Content.Length, Random.Next(1, Math.Min(_clusterSize * 5, 1 << 20)));
        int offset = Random.Next(Content.Length - length + 1);
        byte[] buffer = new byte[length];
        Assert.Equal(length, disk.Read(offset, buffer));
        AssertSame(Content.AsSpan(offset, length), buffer, offset);
    }

    /// <summary>Compares the whole disk.</summary>
    internal void AssertEqual(VirtualDisk disk) => AssertEqual(ReadAll(disk));

    /// <summary>Compares the whole disk.</summary>
    internal void AssertEqual(ReadOnlySpan<byte> content) => AssertSame(Content, content, 0);

    internal void Fail(string message) => Assert.Fail($"{_label}: {message}");

    private void AssertSame(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual, long at)
    {
        if (expected.Length != actual.Length)
        {
            Fail($"{actual.Length} bytes instead of {expected.Length}");
        }

        int same = expected.CommonPrefixLength(actual);
        if (same < expected.Length)
        {
            Fail($"byte 0x{at + same:x} is 0x{actual[same]:x2}, not 0x{expected[same]:x2}");
        }
    }
}
