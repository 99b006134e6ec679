using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>What a file of Windows has under further names, such as the mark of a download (<c>:Zone.Identifier</c>).</summary>
internal static class WindowsStreams
{
    private const int NameOffset = 8; // WIN32_FIND_STREAM_DATA: the size, and the name
    private const int DataLength = NameOffset + ((260 + 36) * sizeof(char));
    private const string Unnamed = "::$DATA";

    /// <summary>The names, each with the colon before it, and sizes; none where the file system has no such thing.</summary>
    internal static IReadOnlyList<(string Name, long Size)> Of(string path)
    {
        var streams = new List<(string, long)>();
        byte[] data = new byte[DataLength];
        IntPtr search = FindFirst(WindowsPath.ForHost(path), 0, data, 0);
        if (search == new IntPtr(-1))
        {
            return streams;
        }

        try
        {
            do
            {
                (string name, long size) = Read(data);
                if (name != Unnamed)
                {
                    streams.Add((name, size));
                }
            }
            while (FindNext(search, data));
        }
        finally
        {
            _ = FindClose(search);
        }

        return streams;
    }

    /// <summary>What the host has written of one stream.</summary>
    internal static (string Name, long Size) Read(ReadOnlySpan<byte> data)
    {
        string name = Encoding.Unicode.GetString(data.Slice(NameOffset).ToArray());
        int end = name.IndexOf('\0');
        return (end < 0 ? name : name.Substring(0, end), System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(data));
    }

    /// <summary>Copies one.</summary>
    /// <param name="from">Path of the file that has it.</param>
    /// <param name="to">Path of the file that is to have it.</param>
    /// <param name="name">Its name, with the colon.</param>
    internal static void Copy(string from, string to, string name)
    {
        const int CreateAlways = 2;
        using var source = new FileStream(WindowsFile.Open(from + name, WindowsFile.GenericRead, ImageSharing.All, WindowsFile.OpenExisting), FileAccess.Read);
        using var target = new FileStream(WindowsFile.Open(to + name, WindowsFile.GenericWrite, ImageSharing.All, CreateAlways), FileAccess.Write);
        source.CopyTo(target);
    }

    [DllImport("kernel32", EntryPoint = "FindFirstStreamW", CharSet = CharSet.Unicode, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern IntPtr FindFirst(string path, int level, [Out] byte[] data, int flags);

    [DllImport("kernel32", EntryPoint = "FindNextStreamW", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool FindNext(IntPtr search, [Out] byte[] data);

    [DllImport("kernel32", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    [return: MarshalAs(UnmanagedType.Bool)]
    private static extern bool FindClose(IntPtr search);
}
