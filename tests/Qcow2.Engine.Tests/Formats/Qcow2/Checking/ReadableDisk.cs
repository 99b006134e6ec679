namespace Qcow2.Engine.Tests.Formats.Qcow2.Checking;

/// <summary>The start of a disk, of which some clusters may be past reading.</summary>
/// <param name="Content">The bytes; zeros where they cannot be read.</param>
/// <param name="Unreadable">Sectors that cannot be read.</param>
internal sealed record ReadableDisk(byte[] Content, HashSet<int> Unreadable)
{
    private const int SectorSize = 512;

    internal static ReadableDisk Read(VirtualDisk disk, int most)
    {
        byte[] content = new byte[Math.Min(disk.Length, most)];
        var unreadable = new HashSet<int>();
        try
        {
            disk.Read(0, content);
        }
        catch (Qcow2Exception)
        {
            for (int offset = 0; offset < content.Length; offset += SectorSize)
            {
                Span<byte> sector = content.AsSpan(offset, Math.Min(SectorSize, content.Length - offset));
                try
                {
                    disk.Read(offset, sector);
                }
                catch (Qcow2Exception)
                {
                    sector.Clear();
                    unreadable.Add(offset / SectorSize);
                }
            }
        }

        return new ReadableDisk(content, unreadable);
    }

    /// <summary>Whether all of a range can be read.</summary>
    internal bool IsReadable(int offset, int count)
    {
        for (int sector = offset / SectorSize; sector <= (offset + count - 1) / SectorSize && Unreadable.Count > 0; sector++)
        {
            if (Unreadable.Contains(sector))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Where another disk first differs in what can be read here; null if nowhere.</summary>
    internal int? FirstDifference(ReadableDisk other)
    {
        for (int i = 0; i < Content.Length; i++)
        {
            if (!Unreadable.Contains(i / SectorSize) && (i >= other.Content.Length || other.Unreadable.Contains(i / SectorSize) || Content[i] != other.Content[i]))
            {
                return i;
            }
        }

        return null;
    }
}
