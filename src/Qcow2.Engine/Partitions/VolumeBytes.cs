namespace Qcow2.Engine.Partitions;

/// <summary>The bytes of a partition, or of a whole disk, for those who look for marks in them. What lies outside is just not there.</summary>
/// <param name="disk">The disk.</param>
/// <param name="start">Where the partition starts on it; 0 or more.</param>
/// <param name="length">Its length, as its table says.</param>
internal sealed class VolumeBytes(VirtualDisk disk, long start, long length)
{
    /// <summary>Most marks lie in here: the last is that of Btrfs, at 64 KiB.</summary>
    private const int HeadSize = 72 << 10;

    private byte[]? _head;

    /// <summary>Why some of the bytes could not be had: the image is damaged there. Null where all could.</summary>
    internal string? Damage { get; private set; }

    /// <summary>Bytes, also of what passes the end of the disk.</summary>
    internal long Length => length;

    /// <summary>Bytes from an offset, all of them or, where one lies outside of the partition or the disk, none.</summary>
    /// <param name="offset">The offset in the partition.</param>
    /// <param name="count">How many; some KiB at most, never a number that the disk says.</param>
    internal ReadOnlySpan<byte> At(long offset, int count)
    {
        long end = Math.Min(length, disk.Length - start);
        if (offset < 0 || offset > end - count)
        {
            return default;
        }

        if (offset + count <= HeadSize)
        {
            _head ??= Read(0, (int)Math.Min(HeadSize, end));
            return _head.Length == 0 ? Read(offset, count) : _head.AsSpan((int)offset, count);
        }

        return Read(offset, count);
    }

    /// <summary>Whether bytes stand at an offset.</summary>
    internal bool Has(long offset, ReadOnlySpan<byte> mark) => At(offset, mark.Length).SequenceEqual(mark);

    private byte[] Read(long offset, int count)
    {
        try
        {
            byte[] bytes = new byte[count];
            return disk.Read(start + offset, bytes) == count ? bytes : [];
        }
        catch (Qcow2Exception e) when (e.Code != Qcow2ErrorCode.PassphraseRequired)
        {
            Damage ??= $"The image is damaged here: {e.Message}";
            return [];
        }
    }
}
