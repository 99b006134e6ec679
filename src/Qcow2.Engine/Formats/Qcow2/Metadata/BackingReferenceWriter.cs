using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Metadata;

/// <summary>
/// Changes what the header says of the backing file: the name, and the extension that names its format. A crash at any
/// point leaves the old name with the old format or the new name with the new one, and every other extension (<see cref="HeaderRewrite"/>).
/// </summary>
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
    internal static Qcow2Header Write(BlockStorage image, BackingReference? reference) => Prepare(image, reference).Write(image);

    /// <summary>Fails if <see cref="Write(BlockStorage, BackingReference?)"/> would, for want of room.</summary>
    /// <exception cref="Qcow2Exception">The name is too long for the format or for the first cluster.</exception>
    internal static void RequireRoom(BlockStorage image, BackingReference? reference) => _ = Prepare(image, reference);

    private static HeaderRewrite Prepare(BlockStorage image, BackingReference? reference)
    {
        HeaderClusterState start = HeaderRewrite.Read(image);
        byte[] name = reference is null ? [] : FormatText.Encode(reference.Name);
        if (name.Length > Qcow2Limits.MaxBackingFileNameBytes)
        {
            throw Qcow2Errors.Limit("The length of the backing file's name", (ulong)name.Length, Qcow2Limits.MaxBackingFileNameBytes, "bytes").At(image.Path);
        }

        // The names of features are only a help for people. In small clusters they take most of the room.
        return Find(start, name, reference?.Format, keepsNames: true)
            ?? Find(start, name, reference?.Format, keepsNames: false)
            ?? throw NoRoom(start.Header, name.Length).At(image.Path);
    }

    private static HeaderRewrite? Find(HeaderClusterState start, byte[] name, string? format, bool keepsNames)
    {
        List<HeaderExtension> extensions = [.. HeaderRewrite.Kept(start.Header)
            .Where(extension => extension is not BackingFormatExtension && (keepsNames || extension is not FeatureNameTableExtension))];
        if (format is not null)
        {
            extensions.Insert(0, new BackingFormatExtension(DiskFormats.RecordedNameOf(format)));
        }

        Qcow2Header wanted = start.Header with { Extensions = [.. extensions], AutoclearFeatures = start.Header.AutoclearFeatures & Kept };
        return HeaderRewrite.Find(start, wanted, name, leading: format is null ? 0 : 1);
    }

    private static Qcow2Exception NoRoom(Qcow2Header header, int length) => new(
        Qcow2ErrorCode.LimitExceeded,
        $"The backing file's name is {length} bytes long, and the image's first cluster of {header.ClusterSize} bytes has no room for it beside what lies there. "
        + "Use a shorter name, such as one that is relative to the image's folder, or convert the image to larger clusters.");
}
