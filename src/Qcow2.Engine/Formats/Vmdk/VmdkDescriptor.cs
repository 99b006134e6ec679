using System.Globalization;
using System.Text;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>The text that describes a disk: its extents, its content's id and its parent's.</summary>
/// <remarks>
/// Source: VMware, Virtual Disk Format 5.0, "The Descriptor File". Read leniently, because everybody writes it a little differently: blanks
/// around the equals sign, any case, comments and empty lines anywhere.
/// </remarks>
internal sealed class VmdkDescriptor
{
    /// <summary>What stands for no parent.</summary>
    internal const uint NoParent = uint.MaxValue;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly Dictionary<string, string> _values;

    private VmdkDescriptor(Dictionary<string, string> values, IReadOnlyList<VmdkExtentLine> extents)
    {
        _values = values;
        Extents = extents;
    }

    /// <summary>The extents, in the order of the disk.</summary>
    internal IReadOnlyList<VmdkExtentLine> Extents { get; }

    /// <summary>What kind of disk it is, in VMware's words; empty if it does not say.</summary>
    internal string CreateType => Value("createType") ?? "";

    /// <summary>Changes with the content; a child names its parent's.</summary>
    internal uint ContentId => Id("CID");

    /// <summary>The id that the parent's content must have; <see cref="NoParent"/> without one.</summary>
    internal uint ParentContentId => Value("parentCID") is null ? NoParent : Id("parentCID");

    /// <summary>Where the parent was when the file was made; null if it does not say.</summary>
    internal string? ParentFileName => Value("parentFileNameHint");

    /// <summary>Whether the disk holds differences from another one.</summary>
    internal bool HasParent => ParentContentId != NoParent;

    /// <summary>The adapter that the disk was made for; null if it does not say.</summary>
    internal string? AdapterType => Value("ddb.adapterType");

    /// <summary>Whether bytes begin as a descriptor does.</summary>
    internal static bool HasSignature(ReadOnlySpan<byte> start)
    {
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        ReadOnlySpan<byte> text = start.StartsWith(mark) ? start.Slice(mark.Length) : start;
        while (!text.IsEmpty && text[0] is (byte)'\r' or (byte)'\n' or (byte)' ' or (byte)'\t')
        {
            text = text.Slice(1);
        }

        ReadOnlySpan<byte> signature = "# disk descriptorfile"u8;
        if (text.Length < signature.Length)
        {
            return false;
        }

        for (int i = 0; i < signature.Length; i++)
        {
            if ((text[i] | 0x20) != (signature[i] | 0x20))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Gives a text its meaning.</summary>
    /// <exception cref="Qcow2Exception">A line that says where data lies cannot be understood, or there is none.</exception>
    internal static VmdkDescriptor Parse(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        string text = Decode(bytes.Slice(0, end < 0 ? bytes.Length : end).ToArray());
        var values = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var extents = new List<VmdkExtentLine>();
        int number = 0;
        foreach (string whole in text.Split('\n'))
        {
            number++;
            string line = whole.Trim('\r', ' ', '\t', '\ufeff');
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            if (VmdkExtentLine.TryParse(line, number) is VmdkExtentLine extent)
            {
                extents.Add(extents.Count < VmdkLimits.MaxExtents
                    ? extent : throw Qcow2Errors.Limit("The number of extents in the VMDK descriptor", (ulong)extents.Count + 1, VmdkLimits.MaxExtents));
            }
            else if (line.IndexOf('=') is > 0 and int equals)
            {
                values[line.Substring(0, equals).Trim()] = line.Substring(equals + 1).Trim().Trim('"');
            }
        }

        if (int.TryParse(values.TryGetValue("version", out string? version) ? version : "1", out int known) && known is < 1 or > 3)
        {
            throw Qcow2Errors.Unsupported($"The VMDK descriptor has version {known}; 1 to 3 are known.");
        }

        // No sum of so many overflows: each is no more than the limit of all.
        if (extents.Aggregate(0UL, (sum, extent) => Math.Min(VmdkLimits.MaxSectors + 1UL, sum + (ulong)extent.Sectors)) > VmdkLimits.MaxSectors)
        {
            throw Qcow2Errors.Corrupt($"The extents of the VMDK descriptor have more than {VmdkLimits.MaxSectors} sectors.");
        }

        return extents.Count > 0 ? new VmdkDescriptor(values, extents) : throw Qcow2Errors.Corrupt("The VMDK descriptor names no extent: it says nowhere where the disk's data lies.");
    }

    private static string Decode(byte[] bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (ArgumentException)
        {
            // What an older VMware wrote in the code page of its machine: every byte a character, so that the structure can be read.
            char[] text = Array.ConvertAll(bytes, value => (char)value);
            return new string(text);
        }
    }

    private string? Value(string key) => _values.TryGetValue(key, out string? value) && value.Length > 0 ? value : null;

    private uint Id(string key)
    {
        string? value = Value(key);
        return uint.TryParse(value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint id)
            ? id
            : value is null ? 0U : throw Qcow2Errors.Corrupt($"The VMDK descriptor's {key} is '{value}', which is no number of up to eight hexadecimal digits.");
    }
}
