using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// Changes what the header says of the backing file: the name, and the extension that names its format. A crash at any
/// point leaves the old name with the old format or the new name with the new one, and every other extension.
/// </summary>
/// <remarks>
/// The new name is written where nothing lies; then one write of the first sector, which holds the header's fields and the
/// format's extension, makes it valid. Where the format's extension comes or goes, those behind it move. If they reach past
/// the first sector, they make a detour: copies of them are written behind everything else, an extension that nobody knows
/// and everybody skips leads over the old place to them, and when that is free they are written where they belong.
/// </remarks>
internal static class BackingReferenceWriter
{
    // What is not kept true by a program that does not know it (spec: "autoclear_features") is withdrawn in passing.
    private const AutoclearFeatures Kept = AutoclearFeatures.Bitmaps | AutoclearFeatures.RawExternalData;

    /// <summary>Changes the header on the disk, and flushes.</summary>
    /// <param name="image">The image file.</param>
    /// <param name="reference">The new backing file; null for none.</param>
    /// <returns>The header as it is then.</returns>
    /// <exception cref="Qcow2Exception">The name is too long for the format or for the first cluster.</exception>
    /// <exception cref="IOException">The host could not write. The header is the old one or the new one.</exception>
    internal static Qcow2Header Write(BlockStorage image, BackingReference? reference)
    {
        (HeaderClusterState start, List<HeaderClusterState> states) = Prepare(image, reference);
        byte[] now = start.Bytes;
        foreach (HeaderClusterState state in states)
        {
            // Behind the first sector nothing that now means something changes, so this is no change yet.
            Write(image, now, state.Bytes, HeaderClusterState.SectorSize, now.Length);
            Write(image, now, state.Bytes, 0, HeaderClusterState.SectorSize);
            now = state.Bytes;
        }

        // Nobody needs the old name any more. Nothing depends on this write, whenever it gets to the disk.
        HeaderClusterState last = states[states.Count - 1];
        Write(image, now, last.Wiped([start, .. states]), 0, now.Length);
        return last.Header;
    }

    /// <summary>Fails if <see cref="Write(BlockStorage, BackingReference?)"/> would, for want of room.</summary>
    /// <exception cref="Qcow2Exception">The name is too long for the format or for the first cluster.</exception>
    internal static void RequireRoom(BlockStorage image, BackingReference? reference) => _ = Prepare(image, reference);

    private static (HeaderClusterState Start, List<HeaderClusterState> States) Prepare(BlockStorage image, BackingReference? reference)
    {
        Qcow2Header header = HeaderCluster.Load(image);
        header.EnsureExtensionsKnown();
        byte[] name = reference is null ? [] : FormatText.Encode(reference.Name);
        if (name.Length > Qcow2Limits.MaxBackingFileNameBytes)
        {
            throw Qcow2Errors.Limit("The length of the backing file's name", (ulong)name.Length, Qcow2Limits.MaxBackingFileNameBytes, "bytes").At(image.Path);
        }

        byte[] bytes = new byte[header.ClusterSize];
        image.ReadZeroPadded(0, bytes);
        HeaderClusterState start = HeaderClusterState.Of(header, bytes);

        // The names of features are only a help for people. In small clusters they take most of the room.
        return (start, Plan(start, name, reference?.Format, keepsNames: true)
            ?? Plan(start, name, reference?.Format, keepsNames: false)
            ?? throw NoRoom(header, name.Length).At(image.Path));
    }

    private static List<HeaderClusterState>? Plan(HeaderClusterState start, byte[] name, string? format, bool keepsNames)
    {
        List<HeaderExtension> others = [.. start.Header.Extensions
            .Where(extension => extension is not BackingFormatExtension && extension.Type != HeaderClusterState.Skip
                && (keepsNames || extension is not FeatureNameTableExtension))
            .Select(Padded)];
        List<HeaderExtension> extensions = [.. others];
        if (format is not null)
        {
            extensions.Insert(0, new BackingFormatExtension(DiskFormats.RecordedNameOf(format)));
        }

        Qcow2Header wanted = Named(start.Header with { Extensions = [.. extensions], AutoclearFeatures = start.Header.AutoclearFeatures & Kept }, name, 0);
        foreach (int place in (int[])[Align(HeaderClusterState.ExtensionsEnd(wanted)), Align(start.LiveEnd)])
        {
            if (start.TryChangeTo(Named(wanted, name, place)) is HeaderClusterState direct)
            {
                return [direct];
            }
        }

        return PlanDetour(start, wanted, name, others);
    }

    private static List<HeaderClusterState>? PlanDetour(HeaderClusterState start, Qcow2Header wanted, byte[] name, List<HeaderExtension> others)
    {
        int format = wanted.Extensions.Length - others.Count;
        int skipStart = wanted.HeaderLength + wanted.Extensions.Take(format).Sum(extension => extension.TotalLength) + HeaderExtension.PrefixLength;
        int skipEnd = Align(Math.Max(start.LiveEnd, HeaderClusterState.ExtensionsEnd(wanted)));
        if (skipStart > HeaderClusterState.SectorSize || skipEnd > start.Bytes.Length)
        {
            return null;
        }

        var skip = new UnknownHeaderExtension(HeaderClusterState.Skip, start.Bytes.AsMemory(skipStart, skipEnd - skipStart));
        Qcow2Header detour = wanted with { Extensions = [.. wanted.Extensions.Take(format), skip, .. others] };
        int place = Align(HeaderClusterState.ExtensionsEnd(detour));
        return start.TryChangeTo(Named(detour, name, place)) is HeaderClusterState between
            && between.TryChangeTo(Named(wanted, name, place)) is HeaderClusterState end
                ? [between, end]
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

    private static Qcow2Exception NoRoom(Qcow2Header header, int length) => new(
        Qcow2ErrorCode.LimitExceeded,
        $"The backing file's name is {length} bytes long, and the image's first cluster of {header.ClusterSize} bytes has no room for it beside what lies there. "
        + "Use a shorter name, such as one that is relative to the image's folder, or convert the image to larger clusters.");
}
