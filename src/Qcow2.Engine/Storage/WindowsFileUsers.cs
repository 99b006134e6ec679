using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Qcow2.Engine.Storage;

/// <summary>
/// The processes that have a file open on Windows. The file system is asked, as the Restart Manager does itself: its own sessions take a tenth of a
/// second, write to the registry, and there are 64 of them for each user.
/// </summary>
internal static unsafe class WindowsFileUsers
{
    private const int ProcessIdsClass = 47; // FileProcessIdsUsingFileInformation
    private const int MostShown = 3;
    private const int MostProcesses = 256;

    /// <summary>Process ids, this process's own among them if it has the file open; null where the file system does not say.</summary>
    /// <param name="handle">The file, opened for anything whatever.</param>
    internal static int[]? Of(SafeFileHandle handle)
    {
        byte[] buffer = new byte[sizeof(ProcessIds) + (MostProcesses * sizeof(IntPtr))];
        fixed (byte* memory = buffer)
        {
            StatusBlock status;
            if (QueryInformationFile(handle, &status, memory, (uint)buffer.Length, ProcessIdsClass) != 0)
            {
                return null;
            }

            var ids = (ProcessIds*)memory;
            IntPtr* first = &ids->First;
            int[] found = new int[Math.Min((int)ids->Count, MostProcesses)];
            for (int i = 0; i < found.Length; i++)
            {
                found[i] = (int)(long)first[i];
            }

            return found;
        }
    }

    /// <summary>Says who has a file open; empty where that is not known.</summary>
    /// <param name="path">Full path.</param>
    internal static string Describe(string path)
    {
        using SafeFileHandle handle = WindowsFile.TryOpen(path, WindowsFile.OnlyAttributes, ImageSharing.All, WindowsFile.OpenExisting, out int error);
        return error == 0 && Of(handle) is int[] ids ? Describe([.. ids.Select(id => (id, NameOf(id)))], OwnId) : "";
    }

    /// <summary>A sentence that names processes, led by a blank; empty for none.</summary>
    /// <param name="users">Ids, and names where they are known.</param>
    /// <param name="own">The id of this process, which has the file open for a moment to ask.</param>
    internal static string Describe(IReadOnlyList<(int Id, string? Name)> users, int own)
    {
        string[] others = [.. users.Where(user => user.Id != own).Select(user => user.Name is null ? $"process {user.Id}" : $"{user.Name} (process {user.Id})")];
        return others.Length == 0 ? ""
            : $" It is open in {string.Join(", ", others.Take(MostShown))}{(others.Length > MostShown ? $" and {others.Length - MostShown} more" : "")}.";
    }

    /// <summary>Id of this process.</summary>
    internal static int OwnId
    {
        get
        {
            using var process = Process.GetCurrentProcess();
            return process.Id;
        }
    }

    private static string? NameOf(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return process.ProcessName;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
        {
            return null; // It has ended, or is not this user's.
        }
    }

    [DllImport("ntdll", EntryPoint = "NtQueryInformationFile")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int QueryInformationFile(SafeFileHandle file, StatusBlock* status, void* information, uint length, int informationClass);

    /// <summary><c>IO_STATUS_BLOCK</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct StatusBlock
    {
        internal IntPtr Status;
        internal IntPtr Information;
    }

    /// <summary><c>FILE_PROCESS_IDS_USING_FILE_INFORMATION</c>, with the first of the ids.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct ProcessIds
    {
        internal uint Count;
        internal IntPtr First;
    }
}
