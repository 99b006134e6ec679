using System.IO.Compression;

namespace Qcow2.Tests;

/// <summary>Images that other programs made, where they are at hand (<see cref="SampleFactAttribute"/>): some are packed, and all are called by the names of what is in them.</summary>
public static class Samples
{
    private const string Packed = ".gz";

    private static string Root => SampleFactAttribute.Folder ?? throw new InvalidOperationException("The samples are not here.");

    /// <summary>Names of all files, relative to the folder, as they are unpacked.</summary>
    public static IEnumerable<string> Names => Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories)
        .Select(path => path.Substring(Root.Length + 1).Replace('\\', '/'))
        .Select(name => name.EndsWith(Packed, StringComparison.Ordinal) ? name.Substring(0, name.Length - Packed.Length) : name)
        .OrderBy(name => name, StringComparer.Ordinal);

    /// <summary>The content of a sample.</summary>
    /// <param name="name">Its name, relative to the folder; with or without the ending of packed ones.</param>
    public static Stream Open(string name)
    {
        string path = Path.Combine(Root, name);
        string packed = name.EndsWith(Packed, StringComparison.Ordinal) ? path : path + Packed;
        return File.Exists(packed) ? new GZipStream(File.OpenRead(packed), CompressionMode.Decompress) : File.OpenRead(path);
    }

    /// <summary>All bytes of a sample.</summary>
    public static byte[] Read(string name)
    {
        using Stream content = Open(name);
        using var bytes = new MemoryStream();
        content.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>A sample as a file, with holes where there are zeros.</summary>
    /// <param name="folder">Where it is made, once.</param>
    /// <param name="name">Its name, relative to the folder of the samples.</param>
    /// <returns>Its path.</returns>
    public static string Unpack(TempFolder folder, string name)
    {
        string path = folder.File(name);
        if (!File.Exists(path))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using Stream content = Open(name);
            SparseFile.Write(content, path);
        }

        return path;
    }
}
