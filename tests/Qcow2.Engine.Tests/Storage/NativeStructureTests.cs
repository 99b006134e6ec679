using System.Reflection;
using System.Runtime.InteropServices;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests;

/// <summary>The structures that hosts fill, as their headers lay them out on 64-bit processors.</summary>
public sealed class NativeStructureTests
{
    private static readonly Dictionary<string, (int Size, string Offsets)> Layouts = new()
    {
        // BY_HANDLE_FILE_INFORMATION
        ["WindowsFileStatus+HandleInformation"] = (52,
            "FileAttributes 0, CreationTime 4, LastAccessTime 12, LastWriteTime 20, VolumeSerialNumber 28, FileSizeHigh 32, FileSizeLow 36, NumberOfLinks 40, FileIndexHigh 44, FileIndexLow 48"),

        // FILE_ID_INFO
        ["WindowsFileStatus+IdInformation"] = (24, "VolumeSerialNumber 0, FileIdLow 8, FileIdHigh 16"),

        // FILE_STANDARD_INFO
        ["WindowsFileStatus+StandardInformation"] = (24, "AllocationSize 0, EndOfFile 8, NumberOfLinks 16, DeletePending 20, Directory 21"),

        // FILE_RENAME_INFO
        ["WindowsFile+RenameInformation"] = (24, "Flags 0, RootDirectory 8, NameLength 16, FirstCharacter 20"),

        // IO_STATUS_BLOCK
        ["WindowsFileUsers+StatusBlock"] = (16, "Status 0, Information 8"),

        // FILE_PROCESS_IDS_USING_FILE_INFORMATION
        ["WindowsFileUsers+ProcessIds"] = (16, "Count 0, First 8"),

        // FILE_ALLOCATED_RANGE_BUFFER, FILE_ZERO_DATA_INFORMATION
        ["WindowsSparseFile+Range"] = (16, "Offset 0, Length 8"),

        // DUPLICATE_EXTENTS_DATA
        ["WindowsBlockClone+DuplicateArguments"] = (32, "Source 0, SourceOffset 8, Offset 16, Length 24"),

        // FSCTL_GET_INTEGRITY_INFORMATION_BUFFER
        ["WindowsBlockClone+IntegrityInformation"] = (16, "Algorithm 0, Reserved 2, Flags 4, ChunkSize 8, ClusterSize 12"),

        // struct file_clone_range
        ["LinuxReflink+CloneArguments"] = (32, "Source 0, SourceOffset 8, Length 16, Offset 24"),

        // struct flock
        ["LibC+FileLock"] = (32, "Type 0, Whence 2, Start 8, Length 16, ProcessId 24"),

        // struct statx
        ["LibC+StatXBuffer"] = (256, "Attributes 8, Links 16, User 20, Group 24, Mode 28, Inode 32, Size 40, Blocks 48, DeviceMajor 136, DeviceMinor 140"),

        // struct stat of macOS, in a buffer that is larger
        ["LibC+MacStat"] = (256, "Device 0, Mode 4, Links 6, Inode 8, User 16, Group 20, Blocks 104, Flags 116"),
    };

    public static TheoryData<string> Structures => [.. Types.Select(Name)];

    /// <summary>Whatever says its layout, and whatever a function of the host takes.</summary>
    private static IEnumerable<Type> Types
    {
        get
        {
            Type[] all = typeof(LocalFile).Assembly.GetTypes();
            IEnumerable<Type> taken = all
                .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public | BindingFlags.DeclaredOnly))
                .Where(method => method.Attributes.HasFlag(MethodAttributes.PinvokeImpl))
                .SelectMany(method => method.GetParameters())
                .Select(parameter => parameter.ParameterType.HasElementType ? parameter.ParameterType.GetElementType()! : parameter.ParameterType);
            IEnumerable<Type> nested = all.Where(type => type.IsNested && type.IsLayoutSequential && type.GetCustomAttribute<System.Runtime.CompilerServices.CompilerGeneratedAttribute>() is null
                && type.DeclaringType is { IsAbstract: true, IsSealed: true } && (Name(type.DeclaringType) is "LibC" or "LinuxReflink"
                    || (type.DeclaringType.Namespace == typeof(LocalFile).Namespace && Name(type.DeclaringType).StartsWith("Windows", StringComparison.Ordinal))));
            return taken.Concat(nested).Where(type => type is { IsValueType: true, IsPrimitive: false, IsEnum: false } && type.Assembly == typeof(LocalFile).Assembly).Distinct();
        }
    }

    [Theory]
    [MemberData(nameof(Structures))]
    public void Lies_in_memory_as_the_host_writes_it(string name)
    {
        Type type = Types.Single(one => Name(one) == name);
        Assert.True(Layouts.ContainsKey(name), $"{name}: write its size and offsets down, from the host's header");
        (int size, string offsets) = Layouts[name];
        Assert.Equal(size, Marshal.SizeOf(type));
        Assert.Equal(offsets, string.Join(", ", type.GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)
            .Select(field => $"{field.Name} {Marshal.OffsetOf(type, field.Name)}")));
    }

    [Fact]
    public void All_of_them_are_looked_at()
        => Assert.Empty(Layouts.Keys.Except(Types.Select(Name)));

    private static string Name(Type type) => type.IsNested ? $"{type.DeclaringType!.Name}+{type.Name}" : type.Name;
}
