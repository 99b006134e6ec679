using Qcow2.Engine.Format;
using Qcow2.Engine.Formats.Qcow2.Creation;
using Qcow2.Engine.Formats.Qcow2.Format;
using Qcow2.Engine.Formats.Qcow2.Metadata;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Formats.Qcow2.Amending;

/// <summary>What of an amendment is a matter of the header alone: the version, features, the data file's name. It is one change.</summary>
internal static class HeaderAmendment
{
    private const int Version3Length = 112; // As QEMU writes it: with the compression type.

    // What is not kept true by a program that does not know it (spec: "autoclear_features") is withdrawn in passing.
    private const AutoclearFeatures Kept = AutoclearFeatures.Bitmaps | AutoclearFeatures.RawExternalData;

    /// <summary>Finds the way to the new header.</summary>
    /// <returns>Null if the header is as it is wanted.</returns>
    /// <exception cref="Qcow2Exception">The first cluster has no room for it.</exception>
    internal static HeaderRewrite? Prepare(BlockStorage image, ImageAmendOptions options)
    {
        HeaderClusterState start = HeaderRewrite.Read(image);
        Qcow2Header header = start.Header;
        if (!Changes(header, options))
        {
            return null;
        }

        List<HeaderExtension> kept = [.. HeaderRewrite.Kept(header)];
        if (options.DataFile is not null)
        {
            int place = kept.FindIndex(extension => extension is DataFileNameExtension);
            kept.RemoveAll(extension => extension is DataFileNameExtension);
            kept.Insert(Math.Max(0, place), new DataFileNameExtension(options.DataFile));
        }

        Qcow2Header wanted = WithFields(header, options);
        if (wanted.Version < 3)
        {
            // Bitmaps that were left in the file are stale (AmendRules).
            kept.RemoveAll(extension => extension is FeatureNameTableExtension or BitmapsExtension);
        }

        List<HeaderExtension> nameless = [.. kept.Where(extension => extension is not FeatureNameTableExtension)];
        List<HeaderExtension> named = wanted.Version > header.Version ? [.. nameless, new FeatureNameTableExtension(ImageCreator.FeatureNames)] : kept;
        byte[] name = header.BackingFileBytes.ToArray();

        // The names of features are only a help for people. In small clusters they take most of the room.
        return Find(start, wanted, name, named) ?? Find(start, wanted, name, nameless) ?? throw NoRoom(header).At(image.Path);
    }

    private static HeaderRewrite? Find(HeaderClusterState start, Qcow2Header wanted, byte[] name, List<HeaderExtension> extensions)
        => HeaderRewrite.Find(start, wanted with { Extensions = [.. extensions] }, name, leading: 0);

    private static bool Changes(Qcow2Header header, ImageAmendOptions options)
        => (options.Version is int version && version != header.Version)
            || (options.LazyRefcounts is bool lazy && lazy != header.Has(CompatibleFeatures.LazyRefcounts))
            || (options.DataFile is string file && file != header.Extension<DataFileNameExtension>()?.FileName)
            || (options.DataFileRaw is bool raw && raw != header.Has(AutoclearFeatures.RawExternalData));

    private static Qcow2Header WithFields(Qcow2Header header, ImageAmendOptions options)
    {
        if (options.Version < header.Version)
        {
            return header with
            {
                Version = 2,
                HeaderLength = Qcow2Header.Version2Length,
                AdditionalFields = [],
                IncompatibleFeatures = 0,
                CompatibleFeatures = 0,
                AutoclearFeatures = 0,
            };
        }

        CompatibleFeatures compatible = header.CompatibleFeatures & ~CompatibleFeatures.LazyRefcounts;
        bool isUpgrade = options.Version > header.Version;
        return header with
        {
            Version = isUpgrade ? 3 : header.Version,
            HeaderLength = isUpgrade ? Version3Length : header.HeaderLength,
            AdditionalFields = isUpgrade ? new byte[Version3Length - HeaderField.CompressionType] : header.AdditionalFields,
            CompatibleFeatures = options.LazyRefcounts ?? header.Has(CompatibleFeatures.LazyRefcounts) ? compatible | CompatibleFeatures.LazyRefcounts : compatible,
            AutoclearFeatures = header.AutoclearFeatures & (options.DataFileRaw == false ? Kept & ~AutoclearFeatures.RawExternalData : Kept),
        };
    }

    private static Qcow2Exception NoRoom(Qcow2Header header) => new(
        Qcow2ErrorCode.LimitExceeded,
        $"The image's first cluster of {header.ClusterSize} bytes has no room for the new header beside what lies there. Convert the image to larger clusters.");
}
