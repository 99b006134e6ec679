using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Text;
using Qcow2.Engine;
using Qcow2.Engine.Conversion;
using Qcow2.Engine.Format;
using Qcow2.Engine.Http;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Infrastructure;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell;

/// <summary>How the module's views show things. The objects themselves hold numbers and names as they are.</summary>
public static class DisplayText
{
    private static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>A number of bytes in the binary unit that suits it, with three digits: <c>193 KiB</c>, <c>1.46 GiB</c>.</summary>
    /// <param name="bytes">The number; null gives an empty text.</param>
    public static string Size(long? bytes) => bytes is long count ? Size(count, CultureInfo.CurrentCulture) : "";

    /// <summary>A number of bytes in the binary unit that suits it, written as a culture does.</summary>
    internal static string Size(long bytes, CultureInfo culture)
    {
        double value = bytes;
        int unit = 0;
        while (Math.Abs(value) >= 1023.5 && unit < Units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        string digits = Math.Abs(value) >= 99.95 ? "0" : Math.Abs(value) >= 9.995 ? "0.#" : "0.##";
        return value.ToString(digits, culture) + " " + Units[unit];
    }

    /// <summary>A number of bytes in both ways: <c>20 GiB (21,474,836,480 bytes)</c>.</summary>
    /// <param name="bytes">The number.</param>
    public static string SizeAndBytes(long bytes)
    {
        string exact = bytes.ToString("N0", CultureInfo.CurrentCulture) + " bytes";
        return bytes < 1024 ? exact : $"{Size(bytes)} ({exact})";
    }

    /// <summary>Says that a disk has another size than was asked for.</summary>
    internal static string RoundedSize(string path, long asked, long size)
        => $"{path}: the disk has {SizeAndBytes(size)}, {size - asked} more than {SizeAndBytes(asked)}, because disks have whole sectors of {DiskSize.SectorSize} bytes.";

    /// <summary>Says what of an image takes no space of its own; nothing where nothing was to be shared.</summary>
    internal static IEnumerable<string> Sharing(string path, ConversionResult? result) => result is null ? [] : Sharing(path, result.SharedBytes, result.SharingRefusal);

    /// <summary>Says what of a copy takes no space of its own, and why the rest does.</summary>
    /// <param name="path">The copy.</param>
    /// <param name="shared">Bytes that it shares with its source.</param>
    /// <param name="refusal">Why no more is shared; null if nothing was refused.</param>
    internal static IEnumerable<string> Sharing(string path, long shared, string? refusal)
    {
        if (shared > 0)
        {
            yield return $"{path}: {SizeAndBytes(shared)} are shared with the source and were not copied.";
        }

        if (refusal is not null)
        {
            yield return $"{path}: {(shared > 0 ? "the rest" : "everything")} was copied, because it could not be shared with the source ({refusal}).";
        }
    }

    /// <summary>A position in a file or disk, in hexadecimal; null gives an empty text.</summary>
    /// <param name="offset">The position, in bytes.</param>
    public static string Offset(long? offset)
        => offset is long value ? "0x" + value.ToString("x", CultureInfo.InvariantCulture) : "";

    /// <summary>
    /// A text out of an image or a file name, as it may safely be sent to a terminal: control characters, and characters
    /// that reverse the direction of text, are shown as codes.
    /// </summary>
    /// <param name="text">The text; null gives an empty one.</param>
    public static string Printable(string? text)
    {
        if (text is null || IsPrintable(text))
        {
            return text ?? "";
        }

        var shown = new StringBuilder(text.Length + 16);
        foreach (char character in text)
        {
            if (IsPrintable(character))
            {
                shown.Append(character);
            }
            else
            {
                shown.Append(character < 0x100 ? "\\x" : "\\u")
                    .Append(((int)character).ToString(character < 0x100 ? "x2" : "x4", CultureInfo.InvariantCulture));
            }
        }

        return shown.ToString();
    }

    /// <summary>Whether a text can be sent to a terminal as it is.</summary>
    /// <param name="text">The text.</param>
    internal static bool IsPrintable(string text) => text.All(IsPrintable);

    /// <summary>The name of a file without its folder, indented by its depth in the backing chain.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="depth">How far down the chain it is.</param>
    public static string ChainName(string? path, int depth)
        => depth == 0 ? FileName(path) : new string(' ', (2 * depth) - 2) + "└ " + FileName(path);

    /// <summary>The folder that an image lies in.</summary>
    /// <param name="path">The image's path.</param>
    public static string Folder(string? path)
        => Printable(path is not null && HttpAddress.IsLike(path) ? path.Substring(0, path.LastIndexOf('/')) : System.IO.Path.GetDirectoryName(path));

    /// <summary>The name of a file without its folder.</summary>
    /// <param name="path">The file's path.</param>
    public static string FileName(string? path) => Printable(System.IO.Path.GetFileName(path));

    /// <summary>The lines of a picture of a disk. They have colours where the session has: PowerShell takes them out of what goes to a file.</summary>
    /// <param name="picture">The picture.</param>
    /// <param name="style">The session's <c>$PSStyle</c>; null where there is none, as in Windows PowerShell.</param>
    public static string[] Picture(object picture, object? style)
    {
        bool hasColors = style is not null && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
            && PSObject.AsPSObject(style).Properties["OutputRendering"]?.Value?.ToString() != "PlainText";
        return new PictureText(ImageObjectReader.As<Qcow2ImagePicture>(picture), hasColors).Lines();
    }

    /// <summary>The names of snapshots or bitmaps, as many as a person wants to read: <c>4: first, second, …</c>.</summary>
    /// <param name="items">The snapshots or bitmaps.</param>
    public static string Names(IEnumerable items)
    {
        const int Shown = 8;
        object[] all = [.. items.Cast<object>()];
        string names = string.Join(", ", all.Take(Shown).Select(item => Printable(item.ToString())));
        return $"{all.Length}: {names}{(all.Length > Shown ? ", …" : "")}";
    }

    /// <summary>The encryption of a LUKS volume in a line: <c>aes-256, xts, plain64; 1 of 8 key slots used</c>.</summary>
    /// <param name="luks">What its header says.</param>
    public static string Luks(object luks) => Luks(ImageObjectReader.As<LuksInfo>(luks));

    private static string Luks(LuksInfo luks)
    {
        string?[] algorithms = [luks.CipherAlgorithm, luks.CipherMode, luks.IvGeneratorAlgorithm, luks.IvGeneratorHash];
        return string.Join(", ", algorithms.Where(text => !string.IsNullOrEmpty(text)).Select(Printable))
            + $"; {luks.Slots.Count(slot => slot.IsActive)} of {luks.Slots.Length} key slots used";
    }

    /// <summary>A share in percent: <c>12.5 %</c>; empty where there is nothing to have a share of.</summary>
    /// <param name="part">The part.</param>
    /// <param name="whole">The whole.</param>
    public static string Share(long part, long whole)
        => whole <= 0 ? "" : (100.0 * part / whole).ToString("0.##", CultureInfo.CurrentCulture) + " %";

    /// <summary>The worst that a check found, and how much more there is; empty for nothing.</summary>
    /// <param name="result">What was found.</param>
    public static string FirstFinding(object result) => FirstFinding(ImageObjectReader.As<Qcow2CheckResult>(result));

    private static string FirstFinding(Qcow2CheckResult result)
    {
        Qcow2CheckFinding? worst = (result.Findings ?? []).OrderByDescending(finding => finding.Severity).FirstOrDefault();
        bool isSaid = worst is not null && (!result.IsHealthy || worst.Severity > Qcow2CheckSeverity.Information); // Of a sound image the list has what is good to know.
        return worst is null || !isSaid ? "" : Printable(worst.Message) + (result.FindingCount > 1 ? $" (and {result.FindingCount - 1} more)" : "");
    }

    /// <summary>The first findings of a check, each on a line.</summary>
    /// <param name="result">What was found.</param>
    public static string Findings(object result) => Findings(ImageObjectReader.As<Qcow2CheckResult>(result));

    private static string Findings(Qcow2CheckResult result)
    {
        const int Shown = 10;
        string lines = string.Join(Environment.NewLine, (result.Findings ?? []).Take(Shown).Select(finding => $"{finding.Severity}: {Printable(finding.Message)}"));
        return result.FindingCount > Shown ? $"{lines}{Environment.NewLine}and {result.FindingCount - Shown} more" : lines;
    }

    /// <summary>Where two disks first differ: <c>0x1f000</c>, <c>0x1f000 (allocation)</c>, <c>size</c>; empty if they are equal.</summary>
    /// <param name="result">What a comparison found.</param>
    public static string FirstDifference(object result) => FirstDifference(ImageObjectReader.As<Qcow2CompareResult>(result));

    private static string FirstDifference(Qcow2CompareResult result)
        => result.FirstDifference is long offset ? Offset(offset)
            : result.FirstAllocationDifference is long allocation ? $"{Offset(allocation)} (allocation)"
            : !result.AreEqual && result.IsSizeDifferent ? "size"
            : "";

    /// <summary>The first ranges of a comparison, each on a line: <c>0x1f000, 8 KiB</c>.</summary>
    /// <param name="result">What a comparison found.</param>
    public static string Ranges(object result) => Ranges(ImageObjectReader.As<Qcow2CompareResult>(result));

    private static string Ranges(Qcow2CompareResult result)
    {
        const int Shown = 10;
        DiskRange[] ranges = result.Ranges ?? [];
        string lines = string.Join(Environment.NewLine, ranges.Take(Shown).Select(range => $"{Offset(range.Offset)}, {Size(range.Length)}"));
        long more = (result.RangeCount ?? ranges.Length) - Math.Min(Shown, ranges.Length);
        return more > 0 ? $"{lines}{Environment.NewLine}and {more} more".TrimStart() : lines;
    }

    /// <summary>The type of a partition, with what is special about it: <c>EFI System</c>, <c>Linux, active</c>. What has no name is shown by its number or GUID.</summary>
    /// <param name="partition">The partition.</param>
    public static string PartitionType(object partition) => PartitionType(ImageObjectReader.As<Qcow2Partition>(partition));

    private static string PartitionType(Qcow2Partition partition)
    {
        string type = Printable(partition.Type ?? partition.GptType) is { Length: > 0 } name ? name : Offset(partition.MbrType);
        // Of an MBR it is the type that says hidden.
        string[] flags = [partition.IsActive ? "active" : "", partition.IsHidden && partition.MbrType is null ? "hidden" : "", partition.IsReadOnly ? "read-only" : ""];
        return string.Join(", ", new[] { type }.Concat(flags).Where(text => text.Length > 0));
    }

    /// <summary>The label of what lies in a partition, or the partition's own.</summary>
    /// <param name="partition">The partition.</param>
    public static string PartitionLabel(object partition) => PartitionLabel(ImageObjectReader.As<Qcow2Partition>(partition));

    private static string PartitionLabel(Qcow2Partition partition) => Printable(partition.FileSystemLabel ?? partition.Label);

    /// <summary>A file as it is seen from another: its name if both lie in one folder, else its path.</summary>
    /// <param name="path">The file's path.</param>
    /// <param name="beside">The other file's path.</param>
    public static string NameBeside(string? path, string? beside)
        => string.Equals(System.IO.Path.GetDirectoryName(path), System.IO.Path.GetDirectoryName(beside), StringComparison.Ordinal) ? FileName(path) : Printable(path);

    /// <summary>What is special about an image, in a few words: <c>v2, zstd, encrypted (LUKS), in use</c>.</summary>
    /// <param name="image">The image.</param>
    public static string Features(object image) => string.Join(", ", FeaturesOf(ImageObjectReader.As<Qcow2ImageInfo>(image)));

    /// <summary>The set bits of a feature set, known ones by name: <c>Dirty, bit 9</c>.</summary>
    /// <param name="features">One of the header's feature sets. Of a deserialised one there is its text.</param>
    /// <param name="set">The type of the feature set.</param>
    public static string Bits(object features, Type set)
        => Bits(Revive(features, set));

    private static string Bits(Enum features)
    {
        ulong value = Convert.ToUInt64(features, CultureInfo.InvariantCulture);
        var names = new List<string>();
        for (int bit = 0; bit < 64; bit++)
        {
            if ((value & (1UL << bit)) != 0)
            {
                names.Add(Enum.GetName(features.GetType(), Enum.ToObject(features.GetType(), 1UL << bit)) ?? $"bit {bit}");
            }
        }

        return names.Count == 0 ? "none" : string.Join(", ", names);
    }

    /// <summary>The type of a header extension: its name or, where it has none, its number.</summary>
    /// <param name="type">The type.</param>
    public static string ExtensionType(object type) => ExtensionType((HeaderExtensionType)Revive(type, typeof(HeaderExtensionType)));

    private static string ExtensionType(HeaderExtensionType type)
    {
        string name = type.ToString();
        return char.IsDigit(name[0]) ? $"unknown {Offset((long)type)}" : name;
    }

    /// <summary>What a header extension says, in a line.</summary>
    /// <param name="extension">The extension.</param>
    public static string Extension(object extension)
        => (extension is PSObject wrapped ? wrapped.BaseObject : extension) is HeaderExtension live ? Extension(live) : Extension(Revive(PSObject.AsPSObject(extension)));

    private static string Extension(HeaderExtension extension) => extension switch
    {
        BackingFormatExtension backing => Printable(backing.Format),
        DataFileNameExtension data => Printable(data.FileName),
        FeatureNameTableExtension names => $"{names.Features.Length} names",
        BitmapsExtension bitmaps => $"{bitmaps.BitmapCount} bitmaps, directory of {bitmaps.DirectorySize} bytes at {Offset((long)bitmaps.DirectoryOffset)}",
        EncryptionHeaderExtension encryption => $"{Size(encryption.HeaderLength)} at {Offset(encryption.Offset)}",
        _ => Bytes(extension.Data),
    };

    /// <summary>Bytes in hexadecimal, the first of them where there are many.</summary>
    /// <param name="bytes">The bytes.</param>
    public static string Bytes(byte[] bytes)
    {
        const int Shown = 16;
        string hex = BitConverter.ToString(bytes, 0, Math.Min(Shown, bytes.Length)).Replace('-', ' ');
        return bytes.Length > Shown ? hex + " …" : hex;
    }

    /// <summary>A value of an enumeration out of its text or number. PowerShell's own conversion refuses what the enumeration does not name.</summary>
    private static Enum Revive(object? value, Type type)
        => (value is PSObject wrapped ? wrapped.BaseObject : value) switch
        {
            Enum live => live,
            string text => (Enum)Enum.Parse(type, text, ignoreCase: true),
            object number => (Enum)Enum.ToObject(type, number),
            null => (Enum)Enum.ToObject(type, 0),
        };

    /// <summary>An extension out of what serialisation left of it: its bytes are all of it.</summary>
    private static HeaderExtension Revive(PSObject extension)
    {
        byte[] data = extension.Properties["Data"]?.Value is object bytes && LanguagePrimitives.TryConvertTo(bytes, out byte[] found) ? found : [];
        return HeaderExtension.Create((HeaderExtensionType)Revive(extension.Properties["Type"]?.Value, typeof(HeaderExtensionType)), data);
    }

    private static IEnumerable<string> FeaturesOf(Qcow2ImageInfo image)
    {
        if (image.PackedIn is string packed)
        {
            yield return packed == "ova" && image.DiskName is string name ? $"{Printable(name)} in ova" : $"in {Printable(packed)}";
        }

        if (image.Version is not int version)
        {
            yield return Printable(image.Format);
        }
        else if (version != 3)
        {
            yield return "v" + version.ToString(CultureInfo.InvariantCulture);
        }

        // What a person must know comes first.
        if (image.IsCorrupt)
        {
            yield return "corrupt";
        }

        if (image.IsDirty)
        {
            yield return "dirty";
        }

        if (image.LockState == ImageLockState.HeldForWriting)
        {
            yield return "in use";
        }
        else if (image.IsLocked)
        {
            yield return "being read";
        }

        if (image.EncryptionMethod != EncryptionMethod.None)
        {
            yield return $"encrypted ({(image.EncryptionMethod == EncryptionMethod.Luks ? "LUKS" : "AES")})";
        }

        if (image.CompressionType == CompressionType.Zstd)
        {
            yield return "zstd";
        }

        if (image.IsExtendedL2)
        {
            yield return "extended L2";
        }

        if (image.Header?.Has(IncompatibleFeatures.ExternalDataFile) == true || image.DataFile is not null)
        {
            yield return image.IsDataFileRaw ? "raw data file" : "data file";
        }

        if (image.HasLazyRefcounts)
        {
            yield return "lazy refcounts";
        }

        if (image.Bitmaps is { Length: > 0 and int bitmaps })
        {
            yield return bitmaps == 1 ? "1 bitmap" : $"{bitmaps} bitmaps";
        }

        if (image.BackingFile is not null && image.Depth == 0)
        {
            yield return "overlay";
        }

        if (image.BackingFileProblem is not null)
        {
            yield return "backing file unavailable";
        }
    }

    private static bool IsPrintable(char character) => !char.IsControl(character) && character
        is not (>= '\u202a' and <= '\u202e') and not (>= '\u2066' and <= '\u2069') and not '\u200e' and not '\u200f'
        and not '\u2028' and not '\u2029' and not '\u061c';
}
