using System.Globalization;
using System.Text;
using Qcow2.Engine.Disks.References;
using Qcow2.Engine.Errors;

namespace Qcow2.Engine.Formats.Vmdk;

/// <summary>Names of a new disk's files. Descriptors have no way to write every name that a file system takes.</summary>
internal static class VmdkFileName
{
    private const string Extension = ".vmdk";

    /// <summary>Refuses a name that no descriptor can hold: quotes and ends of lines are what it is read by.</summary>
    /// <param name="path">Full path of the file that is opened as the disk.</param>
    /// <exception cref="ArgumentException">The name cannot stand in a descriptor.</exception>
    internal static void Check(string path)
    {
        string name = System.IO.Path.GetFileName(path);
        if (name.Any(letter => letter == '"' || char.IsControl(letter)) || !IsUnicode(name))
        {
            throw new ArgumentException(
                $"The name '{PrintableText.Of(name)}' cannot stand in a VMDK descriptor, which has no way to write quotation marks, control characters and what is no Unicode; choose another name.",
                nameof(path));
        }
    }

    /// <summary>The name of an extent's file, by VMware's rules.</summary>
    /// <param name="path">Full path of the descriptor.</param>
    /// <param name="type">What is made.</param>
    /// <param name="index">Which extent it is, from 0.</param>
    /// <exception cref="ArgumentException">A reader of the descriptor would look elsewhere.</exception>
    internal static string OfExtent(string path, VmdkCreateType type, int index)
    {
        string file = System.IO.Path.GetFileName(path);
        string stem = file.EndsWith(Extension, StringComparison.OrdinalIgnoreCase) ? file.Substring(0, file.Length - Extension.Length) : file;
        string number = (index + 1).ToString("000", CultureInfo.InvariantCulture);
        string name = type switch
        {
            VmdkCreateType.TwoGbMaxExtentSparse => $"{stem}-s{number}{Extension}",
            VmdkCreateType.TwoGbMaxExtentFlat => $"{stem}-f{number}{Extension}",
            _ => $"{stem}-flat{Extension}",
        };
        return System.IO.Path.GetFileName(ImageReference.TryResolve(name, path)) == name
            ? name
            : throw new ArgumentException($"A VMDK descriptor cannot name the file '{PrintableText.Of(name)}': it would be taken for a protocol or another file. Choose another name.", nameof(path));
    }

    /// <summary>Where an extent's file lies: beside the descriptor.</summary>
    internal static string PathOf(string descriptorPath, string name) => System.IO.Path.Combine(System.IO.Path.GetDirectoryName(descriptorPath)!, name);

    private static bool IsUnicode(string name)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetByteCount(name) > 0;
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }
}
