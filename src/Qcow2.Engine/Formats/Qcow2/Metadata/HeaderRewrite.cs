using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// A way from the first cluster as it is to one with another header, on which a crash at any point leaves the old header or the
/// new one, each with all of its extensions and its backing file's name.
/// </summary>
/// <remarks>
/// What lies behind the first sector is written where nothing lies; then one write of the first sector, which holds the header's
/// fields, makes it valid. Where extensions that reach past the first sector have to move, they make a detour: copies of them are
/// written behind everything else, an extension that nobody knows and everybody skips leads over the old place to them, and when
/// that is free they are written where they belong.
/// </remarks>
internal sealed class HeaderRewrite
{
    private readonly HeaderClusterState _start;
    private readonly IReadOnlyList<HeaderClusterState> _states;

    private HeaderRewrite(HeaderClusterState start, IReadOnlyList<HeaderClusterState> states)
    {
        _start = start;
        _states = states;
    }

    /// <summary>Reads the first cluster, all of whose extensions must be known.</summary>
    /// <exception cref="Qcow2Exception">It is damaged.</exception>
    internal static HeaderClusterState Read(BlockStorage image)
    {
        Qcow2Header header = HeaderCluster.Load(image);
        header.EnsureExtensionsKnown();
        byte[] bytes = new byte[header.ClusterSize];
        image.ReadZeroPadded(0, bytes);
        return HeaderClusterState.Of(header, bytes);
    }

    /// <summary>What of a header's extensions stays where others come or go, as it can be written anywhere.</summary>
    internal static IEnumerable<HeaderExtension> Kept(Qcow2Header header)
        => header.Extensions.Where(extension => extension.Type != HeaderClusterState.Skip).Select(Padded);

    /// <summary>Finds a way.</summary>
    /// <param name="start">The first cluster as it is.</param>
    /// <param name="wanted">The new header, but for the place of the backing file's name.</param>
    /// <param name="name">The bytes of that name.</param>
    /// <param name="leading">How many of the first extensions lie in the first sector whatever follows them.</param>
    /// <returns>Null if there is no room for the header, or for the way to it.</returns>
    internal static HeaderRewrite? Find(HeaderClusterState start, Qcow2Header wanted, byte[] name, int leading)
    {
        foreach (int place in (int[])[Align(HeaderClusterState.ExtensionsEnd(wanted)), Align(start.LiveEnd)])
        {
            if (start.TryChangeTo(Named(wanted, name, place)) is HeaderClusterState direct)
            {
                return new HeaderRewrite(start, [direct]);
            }
        }

        return FindDetour(start, wanted, name, leading);
    }

    /// <summary>Changes the header on the disk, and flushes.</summary>
    /// <returns>The header as it is then.</returns>
    /// <exception cref="IOException">The host could not write. The header is the old one or the new one.</exception>
    internal Qcow2Header Write(BlockStorage image)
    {
        byte[] now = _start.Bytes;
        foreach (HeaderClusterState state in _states)
        {
            // Behind the first sector nothing that now means something changes, so this is no change yet.
            Write(image, now, state.Bytes, HeaderClusterState.SectorSize, now.Length);
            Write(image, now, state.Bytes, 0, HeaderClusterState.SectorSize);
            now = state.Bytes;
        }

        // Nobody needs the old bytes any more. Nothing depends on this write, whenever it gets to the disk.
        HeaderClusterState last = _states[_states.Count - 1];
        Write(image, now, last.Wiped([_start, .. _states]), 0, now.Length);
        return last.Header;
    }

    private static HeaderRewrite? FindDetour(HeaderClusterState start, Qcow2Header wanted, byte[] name, int leading)
    {
        int skipStart = wanted.HeaderLength + wanted.Extensions.Take(leading).Sum(extension => extension.TotalLength) + HeaderExtension.PrefixLength;
        int skipEnd = Align(Math.Max(start.LiveEnd, HeaderClusterState.ExtensionsEnd(wanted)));
        if (skipStart > HeaderClusterState.SectorSize || skipEnd > start.Bytes.Length)
        {
            return null;
        }

        var skip = new UnknownHeaderExtension(HeaderClusterState.Skip, start.Bytes.AsMemory(skipStart, skipEnd - skipStart));
        Qcow2Header detour = wanted with { Extensions = [.. wanted.Extensions.Take(leading), skip, .. wanted.Extensions.Skip(leading)] };
        int place = Align(HeaderClusterState.ExtensionsEnd(detour));
        return start.TryChangeTo(Named(detour, name, place)) is HeaderClusterState between
            && between.TryChangeTo(Named(wanted, name, place)) is HeaderClusterState end
                ? new HeaderRewrite(start, [between, end])
                : null;
    }

    private static Qcow2Header Named(Qcow2Header header, byte[] name, int place) => header with
    {
        BackingFileOffset = name.Length == 0 ? 0 : place,
        BackingFileSize = (uint)name.Length,
        BackingFileBytes = name,
    };

    /// <summary>The last extension of a full area may have been read without its padding.</summary>
    private static HeaderExtension Padded(HeaderExtension extension)
    {
        int padding = HeaderExtension.PaddingFor(extension.Bytes.Length);
        bool isPadded = extension.TotalLength == HeaderExtension.PrefixLength + extension.Bytes.Length + padding;
        return isPadded ? extension : HeaderExtension.Create(extension.Type, extension.Data, new byte[padding]);
    }

    /// <summary>Writes the sectors of a range that differ, and flushes if there are any.</summary>
    private static void Write(BlockStorage image, byte[] now, byte[] then, int start, int end)
    {
        bool isWritten = false;
        for (int sector = start; sector < end; sector += HeaderClusterState.SectorSize)
        {
            ReadOnlySpan<byte> bytes = then.AsSpan(sector, HeaderClusterState.SectorSize);
            if (!bytes.SequenceEqual(now.AsSpan(sector, HeaderClusterState.SectorSize)))
            {
                image.Write(sector, bytes);
                isWritten = true;
            }
        }

        if (isWritten)
        {
            image.CompleteLastCluster(now.Length); // What another program wrote may end inside a cluster.
            image.Flush();
        }
    }

    private static int Align(int position) => (position + 7) & ~7;
}
